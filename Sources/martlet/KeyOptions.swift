import ArgumentParser
import Foundation

/// The API key, by whichever way it need not stand in a command line.
struct KeyOptions: ParsableArguments {
    @Option(name: .customLong("key"), help: "The API key (else: --key-file, or MARTLET_API_KEY).")
    var given: String?

    @Option(name: .long, help: "A file that holds the API key.")
    var keyFile: String?

    func key() throws -> String {
        if let given { return given }
        if let keyFile {
            guard let text = try? String(contentsOfFile: keyFile, encoding: .utf8) else {
                throw ValidationError("--key-file \(keyFile) cannot be read")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return ProcessInfo.processInfo.environment["MARTLET_API_KEY"] ?? "local"
    }
}
