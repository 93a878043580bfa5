extension SettingKey {
    static let budget = [
        SettingKey(
            "budget.connection", \.client.budgets.connection, .allowance,
            """
            How much time of a core, the node's or Redis's, one connection may ask for in each second; five seconds of \
            it can be saved up. Beyond it frames wait, for 2 s at most, then they are rate_limited, at last the \
            connection is closed with 4429. A byte sent to one other counts as a nanosecond, one that Redis keeps as \
            100: so this is 60 small messages a second to a thousand others four times over, or a megabyte of \
            messages. 0s sets no limit, here and below.
            """),
        SettingKey(
            "budget.user", \.client.budgets.user, .allowance,
            """
            The same for all connections of one user on this node: more connections buy no more than twice one's. A \
            session of 200 rooms costs 28 ms to resume.
            """),
        SettingKey(
            "budget.stored", \.client.budgets.storedBytesPerSecond, .bytes(0...(1 << 30)),
            """
            How many bytes of messages a second one user on this node may have Redis keep in the long run; a thousand \
            seconds of it, 65 MB by default, can be saved up. It holds back who fills room after room up to its \
            log.bytes: Redis keeps those for log.age. 0 sets no limit.
            """),
        SettingKey(
            "budget.room", \.client.budgets.room, .allowance,
            """
            What clients of this node may send to one room's members, at a nanosecond a byte: 400ms are 400 MB a \
            second. Beyond it messages to the room are rate_limited, whoever sends them.
            """),
        SettingKey(
            "budget.node", \.client.budgets.node, .allowance,
            """
            How much time of Redis's one thread all clients of this node may ask for in each second; several nodes \
            share one Redis. Beyond it sessions are resumed later, and whoever asks for much waits a quarter second.
            """),
        SettingKey(
            "budget.stranger", \.client.budgets.stranger, .allowance,
            """
            The same as budget.connection for one that has not shown who it is: enough for a token and what is sent \
            behind it. Beyond it the connection is closed with 4429. All of one address that is not loopback have as \
            much as twenty.
            """),
    ]
}
