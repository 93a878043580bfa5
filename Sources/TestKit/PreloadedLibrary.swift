import Foundation

/// A library of our own that a process loads before all others, so that its functions stand in for the system's.
enum PreloadedLibrary {
    /// The path of the library made of this C, by the compiler that comes with Swift.
    static func compile(_ source: String, called name: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/\(name)-\(UUID().uuidString.prefix(13))"
        try Data(source.utf8).write(to: URL(fileURLWithPath: path + ".c"))
        _ = try RedisServerProcess.ChildProcess.output(of: [
            "clang", "-shared", "-fPIC", "-O1", "-o", path + ".so", path + ".c",
        ])
        return path + ".so"
    }
}
