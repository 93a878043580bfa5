import Hummingbird
import NIOCore

/// The context of one request: its connection, so that its body can be asked for.
struct ControlContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}
