/// The version of this Martlet.
package enum MartletVersion {
    /// By semantic versioning; the command's `--version`, nodes' entries and the start line say it.
    package static let current = "0.1.0"
}
