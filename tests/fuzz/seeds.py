"""Small inputs of every format, from which mutations start."""

import json

_STIX = {
    "type": "bundle",
    "id": "bundle--34d0032b-b342-4076-955d-6c0020fe693a",
    "objects": [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--05b7c427-1452-437e-a19e-32590edf60c3",
            "created": "2024-01-26T21:28:21.013Z",
            "modified": "2024-01-26T21:28:21.013Z",
            "pattern": "[ipv4-addr:value = '8.8.8.8' OR domain-name:value IN ('a.com', 'b\\'c.org')]",
            "pattern_type": "stix",
            "valid_from": "2024-01-26T21:28:21.013Z",
            "object_marking_refs": ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
            "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "impact"}],
        },
        {"type": "ipv4-addr", "id": "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd", "value": "8.8.4.4"},
        {"type": "observed-data", "objects": {"0": {"type": "file", "hashes": {"MD5": "0" * 31 + "1"}}}},
        {
            "type": "relationship",
            "relationship_type": "indicates",
            "source_ref": "indicator--05b7c427-1452-437e-a19e-32590edf60c3",
            "target_ref": "malware--2e9d534b-2e11-4758-bdc5-9c3e1c100d4d",
        },
        {"type": "malware", "id": "malware--2e9d534b-2e11-4758-bdc5-9c3e1c100d4d", "name": "Pegasus"},
        {
            "type": "sighting",
            "sighting_of_ref": "indicator--05b7c427-1452-437e-a19e-32590edf60c3",
            "count": 3,
        },
    ],
}
_MISP = {
    "Event": {
        "info": "an event",
        "date": "2024-01-26",
        "Orgc": {"name": "CIRCL"},
        "Tag": [{"name": "tlp:green"}, {"name": 'misp-galaxy:tool="Mimikatz - S0002"'}],
        "Attribute": [
            {"type": "domain|ip", "value": "a.com|8.8.8.8", "to_ids": True, "category": "Network activity"},
            {"type": "target-email", "value": "x@a.com", "to_ids": True, "category": "Targeting data"},
            {"type": "ip-dst|port", "value": "8.8.8.8|53", "to_ids": True, "first_seen": "2024-01-26"},
        ],
        "Object": [{"name": "file", "Attribute": [{"type": "md5", "value": "0" * 31 + "1", "to_ids": True}]}],
    }
}
_OPENIOC = """<?xml version="1.0" encoding="utf-8"?>
<ioc xmlns="http://schemas.mandiant.com/2010/ioc" id="ea3cab0c-72ad-40cc-abbf-90846fa4afec">
<short_description>x</short_description><definition><Indicator operator="OR" id="1">
<IndicatorItem id="2" condition="is"><Context document="FileItem" search="FileItem/Md5sum" type="mir"/>
<Content type="md5">00000000000000000000000000000001</Content></IndicatorItem>
<Indicator operator="AND" id="3"><IndicatorItem id="4" condition="is">
<Context document="Network" search="Network/DNS" type="mir"/><Content type="string">a.com</Content>
</IndicatorItem></Indicator></Indicator></definition></ioc>
"""
_CSV = """# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","malware_printable","tags"
"2024-01-26 21:28:21", "1", "8.8.8.8:443", "ip:port", "botnet_cc", "Cobalt Strike", "a,b"
"2024-01-26 21:28:21", "2", "a.com", "domain", "botnet_cc", "Cobalt Strike", "None"
"""
_TABLE = "type\tvalue\tfirst_seen\ttlp\tvictim\nip\t8.8.8.8\t2024-01-26\tTLP:WHITE\tx\nmd5\t{}\t\t\t\n"
_TABLE = _TABLE.format("0" * 31 + "1")
_TEXT = "8.8.8.8\nevil[.]example[.]com ; comment\nhxxp://a[.]com/x?y=1\n- 2001:4860:4860::8888 # dns\n"
_REPORT = """= Report
:toc:

== Indicators
[options="header"]
|===
| SHA-1 | Domain
| `0000000000000000000000000000000000000001` | a[.]com
|===
See https://example.com[the post] and hxxps://b[.]org/x. Contact **x[@]c[.]com**.
"""
_RECORDS = '{"ioc": "8.8.8.8:53", "ioc_type": "ip:port", "confidence": 75, "tags": ["a"]}\n{"sha256": 5}\n'

SEEDS: dict[str, list[bytes]] = {
    "stix": [json.dumps(_STIX).encode(), *(json.dumps(o).encode() + b"\n" for o in _STIX["objects"][:3])],
    "misp": [json.dumps(_MISP).encode(), json.dumps({"response": [_MISP]}).encode()],
    "openioc": [_OPENIOC.encode()],
    "csv": [_CSV.encode(), _TABLE.encode(), "\ufeff".encode("utf-16") + _TABLE.encode("utf-16-le")],
    "text": [_TEXT.encode(), _TEXT.encode("utf-16")],
    "report": [_REPORT.encode()],
    "records": [_RECORDS.encode(), b'[{"type":"domain","value":"a.com"}]', b'{"data":[{"ip":"8.8.8.8"}]}'],
}
"""Of every format, by its name; a test fails where one is missing."""
