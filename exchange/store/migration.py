"""How a store of an older version becomes one of this version, inside one transaction."""

from sqlalchemy import Connection

from exchange.store.schema import tables

# Version 1 knew sources without feeds, and wrote times and markings as text.
_FROM_1 = """
INSERT INTO source (id, name) SELECT id, name FROM source_v1;
INSERT INTO feed (id, source_id, name, own) SELECT id, id, '', 0 FROM source_v1;
INSERT INTO delivery (feed_id, at)
    SELECT source_id, CAST(strftime('%s', t) AS INTEGER) FROM (
        SELECT source_id, first_imported AS t FROM observation_v1
        UNION SELECT source_id, last_imported FROM observation_v1
    ) ORDER BY 2;
INSERT INTO indicator (id, type, value, digest) SELECT id, type, value, digest FROM indicator_v1 ORDER BY id;
INSERT INTO observation (feed_id, indicator_id, tlp, first_delivery, last_delivery)
    SELECT o.source_id, o.indicator_id,
        CASE o.tlp WHEN 'CLEAR' THEN 0 WHEN 'GREEN' THEN 1 WHEN 'AMBER' THEN 2 WHEN 'AMBER+STRICT' THEN 3
            ELSE 4 END,
        f.id, l.id
    FROM observation_v1 o
    JOIN delivery f ON f.feed_id = o.source_id AND f.at = CAST(strftime('%s', o.first_imported) AS INTEGER)
    JOIN delivery l ON l.feed_id = o.source_id AND l.at = CAST(strftime('%s', o.last_imported) AS INTEGER)
    ORDER BY o.source_id, o.indicator_id;
DROP TABLE observation_v1;
DROP TABLE indicator_v1;
DROP TABLE source_v1
"""


def migrate(connection: Connection, version: int) -> bool:
    """Bring the tables of an older version up to this one. Returns whether there is a way.

    Version 1 never left the embedded database, so that this speaks SQLite alone.
    """
    if version != 1 or connection.dialect.name != "sqlite":
        return False
    for name in ("source", "indicator", "observation"):
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_v1")
    tables.create_all(connection)
    for statement in _FROM_1.split(";\n"):
        connection.exec_driver_sql(statement)
    return True
