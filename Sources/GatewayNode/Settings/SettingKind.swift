import GatewayCore
import RedisBackend

/// The written form of a value: what the explained file says of it, how it is read, and how it is shown.
struct SettingKind<Value: Sendable>: Sendable {
    /// Type, unit and range in words: `whole number, 0 to 65535`.
    let words: String
    let parse: @Sendable (RawSetting) throws(ValueRefusal) -> Value
    /// As it is written in YAML.
    let show: @Sendable (Value) -> String

    /// A kind that is written as one piece of text.
    init(
        _ words: String, show: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) throws(ValueRefusal) -> Value
    ) {
        self.words = words
        self.show = show
        self.parse = { raw throws(ValueRefusal) in
            guard case .text(let text) = raw else { throw ValueRefusal("is a list where one value is expected") }
            return try parse(text)
        }
    }
}

extension SettingKind<Int> {
    static func integer(_ range: ClosedRange<Int>) -> SettingKind {
        SettingKind("whole number, \(range.lowerBound) to \(range.upperBound)", show: String.init) {
            text throws(ValueRefusal) in
            guard let value = Int(text) else { throw ValueRefusal("is not a whole number") }
            guard range.contains(value) else {
                throw ValueRefusal("is outside \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    static func bytes(_ range: ClosedRange<Int>) -> SettingKind {
        let limits = "\(ByteCount.show(range.lowerBound)) to \(ByteCount.show(range.upperBound))"
        return SettingKind("bytes, as a number or with KiB, MiB or GiB, \(limits)", show: ByteCount.show) {
            text throws(ValueRefusal) in
            guard let value = ByteCount.parse(text) else {
                throw ValueRefusal("is not a number of bytes, such as 65536, 64KiB or 1MiB")
            }
            guard range.contains(value) else { throw ValueRefusal("is outside \(limits)") }
            return value
        }
    }
}

extension SettingKind<MemoryBudget> {
    /// `80%`, bytes as above, or `0`.
    static var memoryBudget: SettingKind {
        SettingKind("1% to 100%, bytes as a number or with KiB, MiB or GiB, or 0", show: YAMLText.show) {
            text throws(ValueRefusal) in
            if text.hasSuffix("%") {
                guard let percent = Int(text.dropLast()), (1...100).contains(percent) else {
                    throw ValueRefusal("is outside 1% to 100%")
                }
                return .share(percent: percent)
            }
            guard let bytes = ByteCount.parse(text) else {
                throw ValueRefusal("is neither a share, such as 80%, nor a number of bytes, such as 800MiB")
            }
            guard bytes == 0 || bytes > 100 else {
                throw ValueRefusal("is \(bytes) bytes: a share has its sign, as in \(bytes)%")
            }
            return bytes == 0 ? .off : .bytes(bytes)
        }
    }
}

extension SettingKind<Duration> {
    static func duration(_ range: ClosedRange<Duration>) -> SettingKind {
        let limits = "\(DurationText.show(range.lowerBound)) to \(DurationText.show(range.upperBound))"
        return SettingKind("time with its unit (ms, s, m, h), \(limits)", show: DurationText.show) {
            text throws(ValueRefusal) in
            guard let value = DurationText.parse(text) else {
                let hint = Int(text) == nil ? "is not a time, such as" : "needs a unit, as in"
                throw ValueRefusal("\(hint) 500ms, 5s, 2m or 24h")
            }
            guard range.contains(value) else { throw ValueRefusal("is outside \(limits)") }
            return value
        }
    }
}

extension SettingKind<Allowance> {
    /// A time of a core for each second; zero sets no limit.
    static var allowance: SettingKind {
        let time = SettingKind<Duration>.duration(.zero...(.seconds(100)))
        return SettingKind(time.words, show: { time.show($0.perSecond) }) { text throws(ValueRefusal) in
            Allowance(perSecond: try time.parse(.text(text)))
        }
    }
}

extension SettingKind<Bool> {
    static var boolean: SettingKind {
        SettingKind("true or false", show: { String($0) }) { text throws(ValueRefusal) in
            switch text {
            case "true": return true
            case "false": return false
            default: throw ValueRefusal("is neither true nor false")
            }
        }
    }
}

extension SettingKind where Value: RawRepresentable<String> & CaseIterable {
    /// One of the cases of an enum.
    static var choice: SettingKind {
        let words = Value.allCases.map(\.rawValue)
        return SettingKind(words.joined(separator: ", "), show: \.rawValue) { text throws(ValueRefusal) in
            guard let value = Value(rawValue: text) else {
                throw ValueRefusal(
                    "is none of \(words.joined(separator: ", "))\(Spelling.hint(for: text, among: words))")
            }
            return value
        }
    }
}

extension SettingKind<String> {
    /// Text that passes `check`, which answers what is wrong with it or nil.
    static func text(_ words: String, check: @escaping @Sendable (String) -> String?) -> SettingKind {
        SettingKind(words, show: YAMLText.quote) { text throws(ValueRefusal) in
            if let problem = check(text) { throw ValueRefusal(problem) }
            return text
        }
    }
}

extension SettingKind<String?> {
    /// Text that may be left out; written empty, it is.
    static func optional(_ words: String, check: @escaping @Sendable (String) -> String? = { _ in nil }) -> SettingKind
    {
        SettingKind(words, show: { YAMLText.quote($0 ?? "") }) { text throws(ValueRefusal) in
            if text.isEmpty { return nil }
            if let problem = check(text) { throw ValueRefusal(problem) }
            return text
        }
    }
}

extension SettingKind<[String]> {
    /// A YAML list, or one text with commas; `check` answers what is wrong with one item or nil.
    static func list(
        _ words: String, atLeast least: Int = 0, check: @escaping @Sendable (String) -> String?
    ) -> SettingKind {
        SettingKind(listOf: words, atLeast: least, show: { $0 }) { item throws(ValueRefusal) in
            if let problem = check(item) { throw ValueRefusal(problem) }
            return item
        }
    }
}

extension SettingKind {
    /// The same, with each item brought into a form of its own, which `show` turns back.
    static func list<Item>(
        _ words: String, atLeast least: Int = 0, show: @escaping @Sendable (Item) -> String,
        form: @escaping @Sendable (String) throws(ValueRefusal) -> Item
    ) -> SettingKind where Value == [Item] {
        SettingKind(listOf: words, atLeast: least, show: show, form: form)
    }

    private init<Item>(
        listOf words: String, atLeast least: Int, show item: @escaping @Sendable (Item) -> String,
        form: @escaping @Sendable (String) throws(ValueRefusal) -> Item
    ) where Value == [Item] {
        self.words = "list of \(words), with commas where it is one text"
        show = { "[" + $0.map { YAMLText.quote(item($0)) }.joined(separator: ", ") + "]" }
        parse = { raw throws(ValueRefusal) in
            let items: [String] =
                switch raw {
                case .list(let items): items
                case .text(""): []
                case .text(let text):
                    text.split(separator: ",", omittingEmptySubsequences: false).map(YAMLText.trim)
                }
            guard items.count >= least else { throw ValueRefusal("is empty") }
            var formed: [Item] = []
            for item in items {
                if item.isEmpty { throw ValueRefusal("has an empty item") }
                formed.append(try form(item))
            }
            return formed
        }
    }
}

/// Text in the explained file and in variables.
enum YAMLText {
    /// The text as YAML reads it back: in quotes where it would mean something else without them.
    static func quote(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "/"):
                true
            default: false
            }
        }
        guard text.isEmpty || !isPlain else { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    static func show(_ budget: MemoryBudget) -> String {
        switch budget {
        case .off: "0"
        case .share(let percent): quote("\(percent)%")
        case .bytes(let bytes): ByteCount.show(bytes)
        }
    }

    /// Without the spaces around it.
    static func trim(_ text: some StringProtocol) -> String {
        let start = text.drop(while: \.isWhitespace)
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...end])
    }
}
