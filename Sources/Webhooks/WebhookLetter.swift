import Dialects
import GatewayCore

/// What one request to a receiver holds: a body, and what its head says beside what every request has.
package struct WebhookLetter: Sendable {
    package var body: [UInt8]
    package var fields: [(name: String, value: String)] = []
}

extension WebhookConfiguration {
    /// Those of the events that a receiver's form has words for; what was lost is always one.
    func told(_ events: [LedgerEvent], to receiver: WebhookReceiver) -> [LedgerEvent] {
        guard receiver.form != .native else { return events }
        guard let app = app(of: receiver) else { return [] }
        return events.filter { $0.type == EventType.lost || PusherEventBody.tells($0, of: app) }
    }

    /// Events in a receiver's form, made anew for each attempt; nil where none of them is for it.
    ///
    /// - Parameter now: milliseconds since 1970.
    package func letter(of events: [LedgerEvent], to receiver: WebhookReceiver, now: Int64) -> WebhookLetter? {
        guard let app = app(of: receiver) else {
            return receiver.form == .native ? WebhookLetter(body: EventBody.encode(events)) : nil
        }
        guard let body = PusherEventBody.encode(events, of: app, now: now), let secret = app.secrets.first else {
            return nil
        }
        let signature = PusherSignature.sign(body, secret: secret)
        return WebhookLetter(body: body, fields: [("X-Pusher-Key", app.key), ("X-Pusher-Signature", signature)])
    }

    /// The app whose events a receiver is told in Pusher's form; nil for one that is told in our own.
    private func app(of receiver: WebhookReceiver) -> PusherApp? {
        guard case .pusher(let id) = receiver.form else { return nil }
        guard let id else { return apps.first }
        return apps.app(withID: id)
    }
}
