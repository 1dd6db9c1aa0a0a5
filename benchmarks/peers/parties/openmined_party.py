"""One party of ``openmined-psi``. The clock runs from both being ready to the client holding the result."""

import private_set_intersection.python as psi
from party import Line, begin, costs, lines, now, say, told

FPR = 1e-9


def server(asked, items):
    """The party with the key: set up, answer one request."""
    line = Line.listening(asked["address"])
    begin()
    party = psi.server.CreateWithNewKey(True)
    count = int.from_bytes(line.receive(), "big")
    setup = party.CreateSetupMessage(FPR, count, items, psi.DataStructure[asked["structure"]])
    line.send(setup.SerializeToString())
    request = psi.Request()
    request.ParseFromString(line.receive())
    line.send(party.ProcessRequest(request).SerializeToString())
    line.end()
    say(sent=line.sent, **costs())


def client(asked, items):
    """The party that learns the intersection."""
    line = Line.to(asked["address"], asked["peer"])
    begin()
    start = now()
    line.send(len(items).to_bytes(8, "big"))
    party = psi.client.CreateWithNewKey(True)
    line.send(party.CreateRequest(items).SerializeToString())
    setup, response = psi.ServerSetup(), psi.Response()
    setup.ParseFromString(line.receive())
    response.ParseFromString(line.receive())
    found = party.GetIntersection(setup, response)
    seconds = now() - start
    line.end()
    say(seconds={"total": seconds}, sent=line.sent, count=len(found), **costs())


if __name__ == "__main__":
    asked = told()
    items = lines(asked["lines"])
    (server if asked["role"] == "sender" else client)(asked, items)
