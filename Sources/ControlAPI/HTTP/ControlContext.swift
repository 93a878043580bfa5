import Hummingbird
import NIOCore

/// What goes with one request: its connection, so that a body that dawdles can be cut off.
struct ControlContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}
