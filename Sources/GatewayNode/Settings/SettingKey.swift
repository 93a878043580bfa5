/// One scalar key of the configuration: the only place that says where it is read from and what it may be.
package struct SettingKey: Sendable {
    /// As in the file and in errors, with dots: `client.maxMessageBytes`.
    package let path: String
    /// What it decides, in one sentence.
    package let doc: String
    /// Type, unit and range.
    package let words: String
    /// As the explained file shows it, when nothing is set.
    package let defaultText: String
    /// A secret's value is never shown, and it can come from a file of its own.
    package let isSecret: Bool
    /// Reads a value into its one place in the settings.
    let read: @Sendable (RawSetting, inout Settings) throws(ValueRefusal) -> Void
    /// What the settings hold in that place, as the file would say it; secrets as well.
    package let written: @Sendable (Settings) -> String
    /// Has the second settings hold in that place what the first do.
    let copy: @Sendable (Settings, inout Settings) -> Void

    init<Value: Sendable>(
        _ path: String, _ field: any WritableKeyPath<Settings, Value> & Sendable, _ kind: SettingKind<Value>,
        shownAs defaultText: String? = nil, isSecret: Bool = false, _ doc: String
    ) {
        self.path = path
        self.doc = doc
        self.isSecret = isSecret
        words = kind.words
        copy = { $1[keyPath: field] = $0[keyPath: field] }
        written = { kind.show($0[keyPath: field]) }
        self.defaultText = defaultText ?? kind.show(Settings()[keyPath: field])
        read = { raw, settings throws(ValueRefusal) in
            settings[keyPath: field] = try kind.parse(raw)
        }
    }

    /// The variable that overrides the file: `MARTLET_CLIENT_MAX_MESSAGE_BYTES`.
    package var variable: String {
        var name = "MARTLET_"
        for character in path {
            if character == "." {
                name += "_"
            } else {
                if character.isUppercase { name += "_" }
                name += character.uppercased()
            }
        }
        return name
    }

    /// The variable that names a file holding the value; secrets only.
    package var fileVariable: String? {
        isSecret ? variable + "_FILE" : nil
    }
}
