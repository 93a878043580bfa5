import Dialects
import GatewayCore

/// What a backend wants to know of channels: `info=user_count,subscription_count`.
struct PusherInfo: OptionSet, Hashable, Sendable {
    let rawValue: Int

    /// How many users are in a presence channel.
    static let userCount = PusherInfo(rawValue: 1)
    /// How many connections are in a channel.
    static let subscriptionCount = PusherInfo(rawValue: 2)
    /// The last event of a cache channel.
    static let cache = PusherInfo(rawValue: 4)

    private static let names: [(name: String, attribute: PusherInfo)] = [
        ("user_count", .userCount), ("subscription_count", .subscriptionCount), ("cache", .cache),
    ]

    init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// - Parameter text: names with commas in between; nil: none.
    /// - Throws: `bad_request` for a name that is none of these.
    init(_ text: String?, among known: PusherInfo) throws(RequestError) {
        self = []
        for name in (text ?? "").split(separator: ",") {
            guard let found = PusherInfo.names.first(where: { $0.name == name }), known.contains(found.attribute) else {
                let names = PusherInfo.names.filter { known.contains($0.attribute) }.map(\.name)
                throw RequestError(.badRequest, "info: must be of \(names.joined(separator: ", "))")
            }
            insert(found.attribute)
        }
    }

    /// - Throws: `bad_request` where one of them is not to be had of such a channel.
    func check(_ channel: PusherChannel) throws(RequestError) {
        if contains(.userCount), !channel.isPresence {
            throw RequestError(.badRequest, "info: user_count is to be had of presence- channels alone")
        }
        if contains(.cache), !channel.isCache {
            throw RequestError(.badRequest, "info: cache is to be had of cache channels alone")
        }
    }
}

extension JSONWriter {
    /// `"user_count":2,"subscription_count":3`: what is to be had of the channel, with a comma before it where that is said.
    ///
    /// - Parameter record: nil where nobody is in it.
    static func append(
        _ info: PusherInfo, of channel: PusherChannel, _ record: RoomRecord?, follows: Bool, to bytes: inout [UInt8]
    ) {
        var follows = follows
        if info.contains(.userCount), channel.isPresence {
            append(follows ? #","user_count":"# : #""user_count":"#, to: &bytes)
            append(integer: record?.members ?? 0, to: &bytes)
            follows = true
        }
        if info.contains(.subscriptionCount) {
            append(follows ? #","subscription_count":"# : #""subscription_count":"#, to: &bytes)
            append(integer: record?.connections ?? 0, to: &bytes)
        }
    }

    /// `{"presence-a":{"user_count":2},"b":{}}`: channels with what is to be had of each.
    static func append(
        _ channels: [(channel: PusherChannel, record: RoomRecord?)], info: PusherInfo, to bytes: inout [UInt8]
    ) {
        append("{", to: &bytes)
        append(channels, to: &bytes) { entry, bytes in
            append(string: entry.channel.name, to: &bytes)
            append(":{", to: &bytes)
            append(info, of: entry.channel, entry.record, follows: false, to: &bytes)
            append("}", to: &bytes)
        }
        append("}", to: &bytes)
    }
}
