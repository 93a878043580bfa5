import GatewayNode
import Logging

/// Where a command's log lines go: to standard error, as the settings say.
enum LogOutput {
    /// To be called once in a process.
    static func begin(_ settings: Settings.Log) {
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        let format = settings.format
        LoggingSystem.bootstrap { label in
            switch format {
            case .text:
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = level
                return handler
            case .json: return JSONLogHandler(label: label, logLevel: level)
            }
        }
    }
}
