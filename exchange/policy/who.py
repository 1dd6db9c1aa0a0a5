"""Rules on the peer and on the circumstances: who, in which part, where, on what ground."""

from collections.abc import Iterable

from exchange.indicators import IndicatorType
from exchange.policy.approvals import approving, request_hash
from exchange.policy.rule import Case, Objection, Rule, Situation, header, listed, quoted
from exchange.policy.tables import BALANCED


def in_force(case: Situation) -> Objection | None:
    """Object where the policy as a whole is not in force."""
    iep = case.policy.iep
    if not case.policy.validity.covers(case.now):
        return Objection(f"the policy is in force {case.policy.validity}")
    if iep is not None and not iep.validity.covers(case.now):
        return Objection(f"the IEP that heads the policy is effective {iep.validity}")
    return None


def _suspended(case: Case) -> Objection | None:
    if case.policy.suspended:
        return Objection("everything is suspended: suspended = true at the top of the policy")
    if case.terms.suspended:
        return Objection(f"suspended = true stands under [{header(case.name)}]")
    return None


def _peer(case: Case) -> Objection | None:
    if case.name:
        return None
    lines, tables = terms_for(case)
    return Objection(f"there are no terms for {case.request.peer}", lines, tables)


def _quarantine(case: Case) -> Objection | None:
    if not case.history.quarantined:
        return None
    peer = case.request.peer
    lift = f"`cosight policy lift {peer}` ends it"
    return Objection(f"{peer} is in quarantine ({case.history.quarantined}); {lift}")


def _validity(case: Case) -> Objection | None:
    if case.terms.validity.covers(case.now):
        return None
    return Objection(
        f"the terms for this peer are in force {case.terms.validity}; renew valid_from and valid_until"
    )


def _arrangement(case: Case) -> Objection | None:
    name = case.terms.arrangement
    if name is None:
        return None
    arrangement, peer = case.policy.arrangements[name], case.request.peer
    if not arrangement.validity.covers(case.now):
        return Objection(f"the arrangement {name} is in force {arrangement.validity}")
    if arrangement.parties and peer not in arrangement.parties:
        lines = f"[arrangements.{name}]\n{listed('parties', {*arrangement.parties, peer})}"
        return Objection(f"{peer} is no party to the arrangement {name}", tables=lines)
    return None


def _role(case: Case) -> Objection | None:
    roles, role = case.terms.roles, case.request.role
    if roles is None or role in roles:
        return None
    return Objection(f"{case.request.peer} is {role} in the roster", listed("roles", {*roles, role}))


def _region(case: Case) -> Objection | None:
    regions, region = case.policy.regions, case.terms.region
    if regions is None or region in regions:
        return None
    if region is None:
        known = ", ".join(sorted(regions))
        return Objection(f"it is not stated where {case.request.peer} is: region = one of {known}")
    return Objection(f"{case.request.peer} is in {region}", top=listed("regions", {*regions, region}))


def _attestation(case: Case) -> Objection | None:
    if not case.terms.attestation:
        return None
    return Objection("the peer would have to prove what it runs, and this version of cosight cannot ask that")


def _direction(case: Case) -> Objection | None:
    request, directions = case.request, case.terms.directions
    if request.direction in directions:
        return None
    act = "dial" if request.direction == "initiator" else "answer"
    remedy = listed("directions", {*directions, request.direction})
    return Objection(f"we may not {act} {request.peer} (be the {request.direction})", remedy)


def personal_data(case: Situation) -> Objection | None:
    """Object where personal data would go in without a legal basis that holds."""
    return personal_among(case, case.request.types)


def personal_among(case: Situation, types: Iterable[IndicatorType]) -> Objection | None:
    """The same of these types."""
    personal = sorted(case.policy.personal_data.intersection(types))
    if not personal:
        return None
    name = case.terms.legal_basis
    if name is None:
        line, tables = _basis_for(case)
        reason = f"these types are personal data, and no legal basis is stated: {', '.join(personal)}"
        return Objection(reason, line, tables)
    basis = case.policy.legal_bases[name]
    if basis.validity.covers(case.now):
        return None
    return Objection(f"the legal basis {name} ({basis.basis}) holds {basis.validity}")


def _basis_for(case: Situation) -> tuple[str, str]:
    """A line that names a legal basis that holds, and its table where the policy has none."""
    for name, basis in sorted(case.policy.legal_bases.items()):
        if basis.validity.covers(case.now):
            return f"legal_basis = {quoted(name)}", ""
    table = f'[legal_bases.network-security]\nbasis = "{BALANCED}"\nbalancing_test = "where yours is filed"'
    return 'legal_basis = "network-security"', table


def _attribution(case: Case) -> Objection | None:
    wanted, rule = case.request.attributed, case.policy.attribution(case.request.peer)
    if wanted is True and rule == "must-not":
        return Objection(f"{case.request.peer} must not be named", 'attribution = "may"')
    if wanted is False and rule == "must":
        return Objection(f"{case.request.peer} must be named", 'attribution = "may"')
    return None


def _purpose(case: Case) -> Objection | None:
    purposes, purpose = case.terms.purposes, case.request.purpose
    if purposes is None or purpose in purposes:
        return None
    if not purpose:
        return Objection("a purpose must be stated, one of those under purposes")
    return Objection(
        "the stated purpose is not among those allowed", listed("purposes", {*purposes, purpose})
    )


def _approval(case: Case) -> Objection | None:
    needed, request = case.terms.approval, case.request
    if needed is None or request.rung not in needed.rungs:
        return None
    wanted = request_hash(request.peer, request.rung, request.types, case.policy.hash, request.purpose)
    heard = approving(case.history.approvals, wanted, needed, case.policy.approvers, case.now)
    if len(heard) >= needed.people:
        return None
    so_far = f"so far {', '.join(sorted(heard))}" if heard else "nobody has"
    return Objection(
        f"{needed.people} people must approve this request, {so_far}: see `cosight policy approve`"
    )


WHO: tuple[Rule[Case], ...] = (
    Rule("p2-policy-validity", "the policy is in force on this day", in_force),
    Rule("p22-suspended", "nothing is suspended", _suspended),
    Rule("p1-peer", "there are terms for the peer", _peer),
    Rule("p22-quarantine", "the peer is not in quarantine", _quarantine),
    Rule("p2-validity", "the terms for the peer are in force on this day", _validity),
    Rule("p2-arrangement", "the arrangement with the peer is in force", _arrangement, ("arrangement",)),
    Rule("p1-role", "the peer has one of these roles in the roster", _role, ("roles",)),
    Rule("p21-region", "the peer is in one of these regions", _region, ("regions",)),
    Rule("p24-attestation", "the peer need not prove what it runs", _attestation),
    Rule("p1-direction", "we may dial, or answer, this peer", _direction),
    Rule("purpose", "only these purposes are stated", _purpose, ("purposes",)),
    Rule("p6-attribution", "the peer may, or need not, be named", _attribution, ("attribution", "iep")),
    Rule("p16-personal-data", "personal data go in on a legal basis that holds", personal_data),
)
"""Those that are asked first."""
APPROVAL = Rule("p19-approval", "so many people have approved the request", _approval, ("approval",))
"""Asked last, so that nobody is asked to approve what another rule refuses."""


def terms_for(case: Case) -> tuple[str, str]:
    """The narrowest terms that allow a request, and the tables they need."""
    request = case.request
    line, tables = ("", "")
    if case.policy.personal_data.intersection(request.types):
        line, tables = _basis_for(case)
    ours, peers = request.our_size, request.peer_size_padded
    lines = [
        listed("directions", {request.direction}),
        f'reveal = "{request.rung}"',
        listed("learns", request.learners),
        listed("types", request.types),
        'tlp = "AMBER"',
        line,
        listed("protocols", {request.protocol}),
        "" if ours is None else f"our_size = {{ min = {ours}, max = {ours} }}",
        "" if peers is None else f"peer_size = {{ min = {peers}, max = {peers} }}",
        "sessions_per_day = 1",
    ]
    return "\n".join(filter(None, lines)), tables
