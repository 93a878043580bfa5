/// One thing that was looked at, what was seen and, where something is wrong, what to do.
package struct Finding: Hashable, Sendable, Encodable {
    package enum Outcome: String, Sendable, Encodable {
        case ok, warning, error
    }

    /// What was looked at: `redis persistence`, `api port`.
    package let subject: String
    package let outcome: Outcome
    /// What was seen; holds no secret.
    package let detail: String
    /// What there is to do; nil where nothing is.
    package let remedy: String?

    /// What a configuration that cannot be used is told as.
    package init(settingsError error: SettingsError) {
        self.init(subject: "configuration", outcome: .error, detail: error.description, remedy: nil)
    }

    package init(settingsWarning text: String) {
        self.init(subject: "configuration", outcome: .warning, detail: text, remedy: nil)
    }

    private init(subject: String, outcome: Outcome, detail: String, remedy: String?) {
        self.subject = subject
        self.outcome = outcome
        self.detail = detail
        self.remedy = remedy
    }

    static func ok(_ subject: String, _ detail: String) -> Finding {
        Finding(subject: subject, outcome: .ok, detail: detail, remedy: nil)
    }

    static func warning(_ subject: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(subject: subject, outcome: .warning, detail: detail, remedy: remedy)
    }

    static func error(_ subject: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(subject: subject, outcome: .error, detail: detail, remedy: remedy)
    }

    /// The same of one server among several.
    func at(_ place: String) -> Finding {
        Finding(subject: subject, outcome: outcome, detail: "\(place): \(detail)", remedy: remedy)
    }

    /// One line for people.
    package var line: String {
        let mark = outcome.rawValue.padded(to: 8)
        return "\(mark)\(subject.padded(to: 20))\(detail)\(remedy.map { "; \($0)" } ?? "")"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
