/// What a user of Redis must be allowed for a node, or a worker of the archive, to do its part.
package enum NodeRights {
    /// Each command, with its subcommand behind a stroke; `AUTH` is allowed to everybody.
    package static let commands =
        connection + plain + [
            "DEL", "EXISTS", "GET", "HDEL", "HEXISTS", "HGET", "HGETALL", "HINCRBY", "HKEYS", "HLEN", "HMGET",
            "HRANDFIELD", "HSET", "HSETNX", "HVALS", "INFO", "MEMORY|USAGE", "PERSIST", "PEXPIRE", "PEXPIREAT", "PTTL",
            "PUBLISH", "RENAME", "SADD", "SCAN", "SCARD", "SET", "SISMEMBER", "SMEMBERS", "SPUBLISH", "SREM", "TIME",
            "XACK", "XADD", "XAUTOCLAIM", "XDEL", "XGROUP|CREATE", "XGROUP|DESTROY", "XINFO|GROUPS", "XINFO|STREAM",
            "XLEN", "XPENDING", "XRANGE", "XREADGROUP", "XREVRANGE", "XTRIM", "ZADD", "ZCARD", "ZCOUNT", "ZRANGE",
            "ZRANGEBYSCORE", "ZRANK", "ZREM", "ZREMRANGEBYSCORE", "ZSCORE",
        ]

    /// Of links and subscriptions; the last are for a Cluster.
    private static let connection = [
        "CLIENT|ID", "CLIENT|KILL", "CLIENT|SETNAME", "EVAL", "EVALSHA", "PING", "SCRIPT|LOAD", "SELECT", "SUBSCRIBE",
        "UNSUBSCRIBE", "WAIT", "ASKING", "CLUSTER|INFO", "CLUSTER|MYID", "CLUSTER|NODES", "CLUSTER|SLOTS",
        "SSUBSCRIBE", "SUNSUBSCRIBE",
    ]

    /// In no script.
    private static let plain = ["HSCAN", "MGET", "SRANDMEMBER", "UNLINK", "ZMSCORE", "ZREMRANGEBYRANK"]

    /// The rules behind the user's name and password in `ACL SETUSER`.
    package static func rules(prefix: String, database: Int) -> [String] {
        let keys = Keys(prefix: prefix, database: database)
        return ["resetkeys", "~\(prefix):*", "resetchannels", "&\(keys.channelPrefix):*", "-@all"]
            + commands.map { "+\($0.lowercased())" }
    }

    /// Answers what of it the user who asks may not, as `ACL SETUSER` would allow it. Arguments: a key, a channel, what would
    /// allow these, then the commands.
    package static let question = """
        local function may(...)
          local known, answer = pcall(redis.acl_check_cmd, ...)
          return not known or answer
        end
        local missing, has_keys = {}, may('GET', ARGV[1])
        if not has_keys and may('GET') then missing[1] = ARGV[3] end
        if not may('PUBLISH', ARGV[2], '1') and may('PUBLISH') then missing[#missing + 1] = ARGV[4] end
        for place = 5, #ARGV do
          local words = {}
          for word in string.gmatch(ARGV[place], '[^|]+') do words[#words + 1] = word end
          -- Redis looks for the key of a SET in its arguments, and takes none for one that is not allowed.
          if words[1] == 'SET' then words = has_keys and { 'SET', ARGV[1], '1' } or { 'GET' } end
          if not may(unpack(words)) then missing[#missing + 1] = '+' .. string.lower(ARGV[place]) end
        end
        return missing
        """

    /// The arguments of the question.
    package static func questioned(prefix: String, database: Int) -> [String] {
        let channels = Keys(prefix: prefix, database: database).channelPrefix
        return ["\(prefix):check", "\(channels):check", "~\(prefix):*", "&\(channels):*"] + commands
    }
}
