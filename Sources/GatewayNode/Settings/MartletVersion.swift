/// The version of this Martlet.
package enum MartletVersion {
    /// By semantic versioning; the command's `--version`, nodes' entries and the start line say it.
    package static let current = "0.1.0"

    /// The Swift that it was compiled with.
    #if compiler(>=6.4)
        static let swift = "6.4"
    #elseif compiler(>=6.3)
        static let swift = "6.3"
    #else
        static let swift = "6.2"
    #endif
}
