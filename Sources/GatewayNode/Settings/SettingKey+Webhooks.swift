extension SettingKey {
    /// The keys of `webhooks`.
    static let webhooks = [
        SettingKey(
            "webhooks.url", \.webhooks.receivers,
            .list("URLs and types", show: \.setting, form: SettingCheck.webhook), isSecret: true,
            """
            Where events are sent: user.online, user.offline, room.occupied, room.vacated, member.joined, \
            member.left, message.published, room.updated, \
            room.host_changed, member.role, member.removed, member.banned. A URL without types is sent all: [https://a.example/hooks, \
            "https://b.example/ user.online user.offline"]. With format=pusher behind it a URL is told the first app's events \
            in Pusher's form: channel_occupied, channel_vacated, member_added, member_removed, and, where they are named, \
            client_event, cache_miss, subscription_count.
            """),
        SettingKey(
            "webhooks.secret", \.webhooks.secrets,
            .list("secrets", check: SettingCheck.secret),
            shownAs: "\"\"", isSecret: true,
            """
            What requests are signed with (Martlet-Signature, HMAC-SHA256), 16 bytes or more. While it is being changed give two: \
            requests then carry a signature by each. Those in Pusher's form are signed with the app's secret.
            """),
        SettingKey(
            "webhooks.timeout", \.webhooks.timeout, .duration(.milliseconds(100)...(.seconds(300))),
            "How long one request may take before it is made again."),
        SettingKey(
            "webhooks.concurrency", \.webhooks.concurrency, .integer(1...1000),
            "How many requests a node has under way at once to one URL."),
        SettingKey(
            "webhooks.giveUpAfter", \.webhooks.giveUpAfter, .duration(.seconds(1)...(.seconds(720 * 3600))),
            "After how long an event that could not be delivered becomes a dead letter."),
        SettingKey(
            "webhooks.allowPrivate", \.webhooks.allowsPrivate, .boolean,
            "Whether events are sent to private, loopback and link-local addresses, as those of docker compose are."),
        SettingKey(
            "webhooks.caFile", \.webhooks.authorityFile, .optional("PEM file", check: SettingCheck.authorities),
            "Authorities of your own, trusted beside the system's, for receivers whose certificates come from them."),
        SettingKey(
            "webhooks.backlog", \.backend.webhookLedger.backlog, .integer(1000...10_000_000),
            """
            How many events each of the 64 ledgers keeps for a URL that does not take them; beyond it the oldest \
            are lost, which is counted and told by an event events.lost.
            """),
        SettingKey(
            "webhooks.backlogBytes", \.backend.webhookLedger.bytes, .bytes((64 << 10)...(1 << 40)),
            """
            How many bytes each of those ledgers keeps, whatever their counts say, and as many again of what could not \
            be delivered to a URL; 64 times as much are the most that each of the two takes.
            """),
    ]
}
