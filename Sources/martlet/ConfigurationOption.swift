import ArgumentParser

/// The file that several commands read settings from.
struct ConfigurationOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("A file as `martlet config` prints one; variables override it.", valueName: "file"))
    var config: String?
}
