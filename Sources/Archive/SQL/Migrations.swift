/// The archive's tables, as each version of the schema changed them. Nothing here ever takes anything away.
enum Migrations {
    /// What this release knows.
    static var newest: Int { all(for: .sqlite).count }

    /// The statements of each version, the first is 1. Where the database ends a transaction at each of them, one that was
    /// broken off is run again from its beginning: so each may find its work done.
    static func all(for dialect: SQLDialect) -> [[String]] {
        switch dialect {
        case .sqlite: [sqlite, sqliteOutbox]
        case .postgreSQL: [postgreSQL, postgreSQLOutbox]
        case .mariaDB(let isMySQL):
            [mariaDB(collation: isMySQL ? "utf8mb4_0900_bin" : "utf8mb4_nopad_bin"), mariaDBOutbox]
        }
    }

    /// Which versions have been here.
    static func ledger(for dialect: SQLDialect) -> String {
        switch dialect {
        case .sqlite:
            "CREATE TABLE IF NOT EXISTS martlet_schema (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
        case .postgreSQL:
            "CREATE TABLE IF NOT EXISTS martlet_schema (version integer PRIMARY KEY, applied_at timestamptz(3) NOT NULL)"
        case .mariaDB:
            "CREATE TABLE IF NOT EXISTS martlet_schema (version INT PRIMARY KEY, applied_at DATETIME(3) NOT NULL) ENGINE=InnoDB"
        }
    }

    private static let sqlite = [
        """
        CREATE TABLE IF NOT EXISTS martlet_messages (room TEXT NOT NULL, epoch TEXT NOT NULL, \
        epoch_number INTEGER NOT NULL, seq INTEGER NOT NULL, user_id TEXT NOT NULL, event TEXT, \
        msg_type INTEGER NOT NULL, payload BLOB, sent_at TEXT NOT NULL, PRIMARY KEY (room, epoch, seq))
        """,
        "CREATE UNIQUE INDEX IF NOT EXISTS martlet_messages_order ON martlet_messages (room, epoch_number, seq)",
        "CREATE INDEX IF NOT EXISTS martlet_messages_sent ON martlet_messages (sent_at)",
        """
        CREATE TABLE IF NOT EXISTS martlet_gaps (room TEXT NOT NULL, epoch TEXT NOT NULL, epoch_number INTEGER NOT NULL, \
        from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, found_at TEXT NOT NULL, PRIMARY KEY (room, epoch, from_seq))
        """,
        """
        CREATE TABLE IF NOT EXISTS martlet_epochs (room TEXT NOT NULL, epoch TEXT NOT NULL, epoch_number INTEGER NOT NULL, \
        last_seq INTEGER NOT NULL, PRIMARY KEY (room, epoch), UNIQUE (room, epoch_number))
        """,
        "CREATE TABLE IF NOT EXISTS martlet_fences (number INTEGER PRIMARY KEY, token INTEGER NOT NULL)",
    ]

    private static let postgreSQL = [
        """
        CREATE TABLE IF NOT EXISTS martlet_messages (room text NOT NULL, epoch text NOT NULL, epoch_number bigint NOT NULL, \
        seq bigint NOT NULL, user_id text NOT NULL, event text, msg_type integer NOT NULL, payload bytea, \
        sent_at timestamptz(3) NOT NULL, PRIMARY KEY (room, epoch, seq))
        """,
        "CREATE UNIQUE INDEX IF NOT EXISTS martlet_messages_order ON martlet_messages (room, epoch_number, seq)",
        "CREATE INDEX IF NOT EXISTS martlet_messages_sent ON martlet_messages (sent_at)",
        """
        CREATE TABLE IF NOT EXISTS martlet_gaps (room text NOT NULL, epoch text NOT NULL, epoch_number bigint NOT NULL, \
        from_seq bigint NOT NULL, to_seq bigint NOT NULL, found_at timestamptz(3) NOT NULL, \
        PRIMARY KEY (room, epoch, from_seq))
        """,
        """
        CREATE TABLE IF NOT EXISTS martlet_epochs (room text NOT NULL, epoch text NOT NULL, epoch_number bigint NOT NULL, \
        last_seq bigint NOT NULL, PRIMARY KEY (room, epoch), UNIQUE (room, epoch_number))
        """,
        "CREATE TABLE IF NOT EXISTS martlet_fences (number integer PRIMARY KEY, token bigint NOT NULL)",
    ]

    /// - Parameter collation: compares byte for byte, blanks at the end too.
    private static func mariaDB(collation: String) -> [String] {
        let names = "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE \(collation)"
        let epoch = "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"
        return [
            """
            CREATE TABLE IF NOT EXISTS martlet_messages (room \(names) NOT NULL, epoch \(epoch) NOT NULL, \
            epoch_number BIGINT NOT NULL, seq BIGINT NOT NULL, user_id \(names) NOT NULL, event \(names), \
            msg_type INT NOT NULL, payload LONGBLOB, sent_at DATETIME(3) NOT NULL, PRIMARY KEY (room, epoch, seq), \
            UNIQUE KEY martlet_messages_order (room, epoch_number, seq), KEY martlet_messages_sent (sent_at)) ENGINE=InnoDB
            """,
            """
            CREATE TABLE IF NOT EXISTS martlet_gaps (room \(names) NOT NULL, epoch \(epoch) NOT NULL, \
            epoch_number BIGINT NOT NULL, from_seq BIGINT NOT NULL, to_seq BIGINT NOT NULL, \
            found_at DATETIME(3) NOT NULL, PRIMARY KEY (room, epoch, from_seq)) ENGINE=InnoDB
            """,
            """
            CREATE TABLE IF NOT EXISTS martlet_epochs (room \(names) NOT NULL, epoch \(epoch) NOT NULL, \
            epoch_number BIGINT NOT NULL, last_seq BIGINT NOT NULL, PRIMARY KEY (room, epoch), \
            UNIQUE KEY martlet_epochs_order (room, epoch_number)) ENGINE=InnoDB
            """,
            "CREATE TABLE IF NOT EXISTS martlet_fences (number INT PRIMARY KEY, token BIGINT NOT NULL) ENGINE=InnoDB",
        ]
    }

    private static let sqliteOutbox = [
        """
        CREATE TABLE IF NOT EXISTS martlet_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, \
        payload TEXT NOT NULL, event TEXT, msg_type INTEGER NOT NULL DEFAULT 1, user_id TEXT NOT NULL DEFAULT 'system', \
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), sent_at TEXT, error TEXT)
        """,
        "CREATE INDEX IF NOT EXISTS martlet_outbox_waiting ON martlet_outbox (sent_at, id)",
    ]

    /// A worker that listens hears of a row when it is committed.
    private static let postgreSQLOutbox = [
        """
        CREATE TABLE IF NOT EXISTS martlet_outbox (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
        target text NOT NULL, payload text NOT NULL, event text, msg_type integer NOT NULL DEFAULT 1, \
        user_id text NOT NULL DEFAULT 'system', created_at timestamptz(3) NOT NULL DEFAULT now(), \
        sent_at timestamptz(3), error text)
        """,
        "CREATE INDEX IF NOT EXISTS martlet_outbox_waiting ON martlet_outbox (id) WHERE sent_at IS NULL",
        """
        CREATE OR REPLACE FUNCTION martlet_outbox_told() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NOTIFY martlet_outbox; RETURN NULL; END $$
        """,
        "DROP TRIGGER IF EXISTS martlet_outbox_told ON martlet_outbox",
        """
        CREATE TRIGGER martlet_outbox_told AFTER INSERT ON martlet_outbox FOR EACH STATEMENT \
        EXECUTE FUNCTION martlet_outbox_told()
        """,
    ]

    private static let mariaDBOutbox = [
        """
        CREATE TABLE IF NOT EXISTS martlet_outbox (id BIGINT AUTO_INCREMENT PRIMARY KEY, \
        target LONGTEXT CHARACTER SET utf8mb4 NOT NULL, payload LONGTEXT CHARACTER SET utf8mb4 NOT NULL, \
        event VARCHAR(200) CHARACTER SET utf8mb4, msg_type INT NOT NULL DEFAULT 1, \
        user_id VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL DEFAULT 'system', \
        created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)), sent_at DATETIME(3), \
        error TEXT CHARACTER SET utf8mb4, KEY martlet_outbox_waiting (sent_at, id)) ENGINE=InnoDB
        """
    ]
}
