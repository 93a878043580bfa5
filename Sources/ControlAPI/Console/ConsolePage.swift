/// The files that make up the console.
enum ConsolePage: Hashable, Sendable {
    case document, script, style
}
