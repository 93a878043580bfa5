import Logging
import RedisBackend
import ServiceLifecycle
import SocketServer

/// Sends the clients of a node that cannot do its part to those that can, and lets clients in again once it can.
struct ClientRelief: Service {
    let steps: AsyncStream<Relief.Step>
    let sockets: SocketServer
    let logger: Logger

    func run() async throws {
        for await step in steps.cancelOnGracefulShutdown() {
            switch step {
            case .sendAway:
                logger.warning("This node can neither command nor hear, and another can: the clients are sent away")
                sockets.sendAway()
            case .admitAgain:
                logger.notice("Clients are let in again")
                sockets.admitAgain()
            }
        }
    }
}
