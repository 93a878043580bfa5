import Webhooks

extension SettingKey {
    /// The keys of `tracing`.
    static let tracing = [
        SettingKey(
            "tracing.url", \.tracing.url, .optional("http or https URL", check: SettingCheck.collector),
            """
            Where spans are sent, in OTLP over HTTP as JSON: a collector's http://127.0.0.1:4318/v1/traces. Left out, \
            none are made; a request's traceparent stands in the webhook events that it causes all the same.
            """),
        SettingKey(
            "tracing.sample", \.tracing.sample, .share,
            """
            Of the requests that come without a traceparent, how many are traced; of those that bring one, the ones that \
            it says are sampled.
            """),
    ]
}

extension SettingCheck {
    static func collector(_ text: String) -> String? {
        guard let url = WebhookURL(text) else { return "is no http:// or https:// URL" }
        return url.credentials == nil ? nil : "must name neither user nor password"
    }
}

extension SettingKind<Double> {
    /// `1%`, with a point where it needs one, as a part of 1.
    static var share: SettingKind {
        SettingKind("0% to 100%, with a point: 0.5%", show: { "\(Share.text($0))%" }) { text throws(ValueRefusal) in
            guard text.hasSuffix("%"), let percent = Share.number(text.dropLast()) else {
                throw ValueRefusal("is not a share, such as 1% or 0.5%")
            }
            guard (0...100).contains(percent) else { throw ValueRefusal("is outside 0% to 100%") }
            return percent / 100
        }
    }
}

/// Percents in text, of digits and a point alone.
private enum Share {
    static func number(_ text: Substring) -> Double? {
        text.utf8.allSatisfy { (48...57).contains($0) || $0 == 46 } ? Double(text) : nil
    }

    static func text(_ share: Double) -> String {
        // Ten thousandths of a percent are as fine as it is kept.
        let percent = (share * 1_000_000).rounded() / 10_000
        return percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
    }
}
