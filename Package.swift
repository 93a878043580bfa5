// swift-tools-version: 6.2
import PackageDescription

// Our own targets are strict: every existential is spelt out, and in `.ci/run` every warning is an error. Only there:
// what a newer compiler or library calls deprecated must not break the build of somebody who uses Martlet.
let areWarningsErrors = Context.environment["MARTLET_WARNINGS_AS_ERRORS"] == "1"
let strict: [SwiftSetting] =
    [.enableUpcomingFeature("ExistentialAny")] + (areWarningsErrors ? [.treatAllWarnings(as: .error)] : [])

// Tests that wait for other processes gain nothing by being optimised, and take half as long to compile without.
let unoptimized: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")

// What only a node needs is behind a trait, so that a program which uses MartletClient, with `traits: []`, resolves none of
// it. Without the trait no other target can be built.
let forNodes: TargetDependencyCondition? = .when(traits: ["Node"])
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log", condition: forNodes)
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics", condition: forNodes)
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: forNodes)
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections", condition: forNodes)
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing", condition: forNodes)
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto", condition: forNodes)

let package = Package(
    name: "martlet",
    // A node, its load tool and the tests run on Linux. MartletClient and the targets without I/O also build where Swift
    // does, on Apple's systems from these versions on, since they use the Synchronization library.
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .library(name: "MartletClient", targets: ["MartletClient"]),
    ],
    traits: [
        .trait(name: "Node", description: "What a node, its load tool and the tests need."),
        .default(enabledTraits: ["Node"]),
    ],
    dependencies: [
        // What MartletClient needs floats within its major version, so that a program that uses it is free in its own;
        // the rest within the minor version that was tried.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", .upToNextMinor(from: "2.28.0")),
        .package(url: "https://github.com/apple/swift-argument-parser.git", .upToNextMinor(from: "1.8.0")),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/apple/swift-log.git", .upToNextMinor(from: "1.16.0")),
        .package(url: "https://github.com/apple/swift-metrics.git", .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", .upToNextMinor(from: "1.7.0")),
        .package(url: "https://github.com/jpsim/Yams.git", .upToNextMinor(from: "6.2.0")),
        .package(url: "https://github.com/vapor/jwt-kit.git", .upToNextMinor(from: "5.7.0")),
        .package(url: "https://github.com/apple/swift-crypto.git", .upToNextMinor(from: "4.5.0")),
        .package(url: "https://github.com/apple/swift-collections.git", .upToNextMinor(from: "1.6.0")),
        .package(url: "https://github.com/swift-server/async-http-client.git", .upToNextMinor(from: "1.37.0")),
    ],
    targets: [
        // The C library hiredis as the system has it.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        // hiredis's reply reader with object functions of our own: lays a reply out flat.
        .target(name: "CRespReader", dependencies: ["CHiredis"], linkerSettings: [.linkedLibrary("hiredis")]),
        // Whose certificate a TLS server shows, for all clients in here.
        .target(name: "ServerTrust", dependencies: [nioCore, nioTLS], swiftSettings: strict),
        // A Redis driver that knows nothing of rooms: links, subscriptions, scripts, reconnects.
        .target(
            name: "RedisClient",
            dependencies: ["CRespReader", "ServerTrust", nioCore, nioPosix, nioTLS, logging, collections],
            swiftSettings: strict),
        // The C library zlib as the system has it.
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        // RFC 6455 frames over ByteBuffer, compressed by RFC 7692 where agreed on, both sides, without I/O.
        .target(name: "WebSocketFrames", dependencies: ["CZlib", nioCore], swiftSettings: strict),
        // The vocabulary, the rules and the narrow protocols at which the targets meet, without I/O.
        .target(name: "GatewayCore", swiftSettings: strict),
        // Bytes to vocabulary and back, one folder for each wire protocol, without I/O.
        .target(name: "Dialects", dependencies: ["GatewayCore", crypto], swiftSettings: strict),
        // Traces of calls: what is handed on, the spans of our own, and how a collector takes them; without I/O.
        .target(name: "Traces", dependencies: ["GatewayCore", "Dialects", tracing], swiftSettings: strict),
        // The backend protocols on Redis: keys, scripts, log, router, beat.
        .target(
            name: "RedisBackend",
            dependencies: [
                "GatewayCore", "RedisClient", "Traces", crypto, nioCore, logging,
                metrics, lifecycle, collections, tracing,
            ],
            exclude: ["Wire/Grammar.md"],
            resources: [.embedInCode("Lua")],
            swiftSettings: strict),
        // C libraries as the system has them: the databases that an archive can be in.
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CPostgreSQL", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMariaDB", providers: [.apt(["libmariadb-dev"])]),
        // Messages that last, in a database: its tables, and one way to three kinds of them.
        .target(
            name: "Archive", dependencies: ["CSQLite", "CPostgreSQL", "CMariaDB", "GatewayCore"],
            swiftSettings: strict),
        // The client port: listener, handshake, one handler a socket, one hub an event loop.
        .target(
            name: "SocketServer",
            dependencies: [
                "CZlib", "GatewayCore", "Dialects", "WebSocketFrames", nioCore, nioPosix, nioHTTP1, nioTLS, logging,
                metrics, lifecycle,
            ],
            resources: [.embedInCode("Pages")],
            swiftSettings: strict),
        // The api port: REST routes that only translate, health, the console page.
        .target(
            name: "ControlAPI",
            dependencies: [
                "GatewayCore", "Dialects", "Traces", tracing,
                .product(name: "Hummingbird", package: "hummingbird", condition: forNodes),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: forNodes),
                crypto, nioCore, nioPosix, nioHTTP1, nioTLS, logging, metrics,
                lifecycle,
            ],
            resources: [.embedInCode("Pages")],
            swiftSettings: strict),
        // The ledger's events to a backend: lanes, retries, signatures, requests.
        .target(
            name: "Webhooks",
            dependencies: [
                "GatewayCore", "Dialects", "Traces", "ServerTrust", tracing,
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: forNodes),
                crypto, nioCore, nioPosix, nioHTTP1, nioTLS, logging,
                metrics, lifecycle, collections,
            ],
            swiftSettings: strict),
        // Settings, and the wiring of all targets into a running node.
        .target(
            name: "GatewayNode",
            dependencies: [
                "GatewayCore", "RedisClient", "RedisBackend", "SocketServer", "ControlAPI", "Dialects", "Webhooks",
                "Archive", "Traces", "ServerTrust", crypto, nioCore, nioPosix, nioHTTP1, nioTLS, logging, metrics,
                lifecycle,
                .product(name: "CryptoExtras", package: "swift-crypto", condition: forNodes),
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: forNodes),
                .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: forNodes),
                .product(name: "Yams", package: "Yams", condition: forNodes),
            ],
            swiftSettings: strict),
        // The Swift client library: connects, reconnects, hands out events as async sequences.
        .target(
            name: "MartletClient",
            dependencies: [
                "GatewayCore", "Dialects", "ServerTrust", "WebSocketFrames", nioCore, nioPosix, nioHTTP1, nioTLS,
            ],
            swiftSettings: strict),
        // What clients were told, held to what they were promised: the judge of `bench storm` and of the fault suites.
        .target(name: "StormJudge", dependencies: ["MartletClient"], swiftSettings: strict),
        // In C, since a target has one language: the load tool's socket loop, and the bare server it is measured by.
        .target(name: "CLoadLoop"),
        // The load tool: scenarios, checks of all that arrives, meters of processes, reports.
        .target(
            name: "LoadBench",
            dependencies: ["CLoadLoop", "WebSocketFrames", nioCore, crypto],
            swiftSettings: strict),
        // The command line: parses arguments, bootstraps logging, starts a node, loads one.
        .executableTarget(
            name: "martlet",
            dependencies: [
                "GatewayNode", "GatewayCore", "LoadBench", "MartletClient", "ServerTrust", "StormJudge", "Webhooks",
                nioCore, nioPosix, nioHTTP1, nioTLS, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: forNodes),
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: forNodes),
                .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: forNodes),
            ],
            swiftSettings: strict),
        // For tests that need nothing else: a generator with a seed, microbenchmarks, waiting for a condition.
        .target(name: "TestSupport", swiftSettings: strict),
        // For tests: real redis-servers, nodes as processes, a fault proxy, a webhook receiver, the stream checker.
        .target(
            name: "TestKit",
            dependencies: [
                "TestSupport", "MartletClient", "StormJudge", "WebSocketFrames", crypto, nioCore, nioPosix, nioHTTP1,
                nioTLS,
                .product(name: "CryptoExtras", package: "swift-crypto", condition: forNodes),
            ],
            swiftSettings: strict
        ),

        .testTarget(name: "ServerTrustTests", dependencies: ["ServerTrust"], swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests",
            dependencies: ["RedisClient", "TestSupport", "TestKit", nioCore, nioPosix, nioTLS, logging],
            swiftSettings: strict),
        .testTarget(
            name: "WebSocketFramesTests", dependencies: ["WebSocketFrames", nioCore, "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "GatewayCoreTests", dependencies: ["GatewayCore", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "DialectsTests", dependencies: ["Dialects", "GatewayCore", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RedisBackendTests",
            dependencies: [
                "RedisBackend", "RedisClient", "GatewayCore", "TestSupport", "TestKit", nioCore, nioPosix, logging,
                metrics, lifecycle,
            ],
            exclude: ["Records"],
            swiftSettings: strict),
        .testTarget(
            name: "ArchiveTests", dependencies: ["Archive", "GatewayCore", "TestKit", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "SocketServerTests",
            dependencies: [
                "SocketServer", "GatewayCore", "Dialects", "WebSocketFrames", "TestSupport", "CZlib", nioCore, nioPosix,
                nioEmbedded, logging, metrics, lifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ControlAPITests",
            dependencies: [
                "ControlAPI", "Dialects", "GatewayCore", "TestKit", nioCore, nioPosix, nioHTTP1, nioEmbedded, logging,
                metrics, lifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "WebhooksTests",
            dependencies: [
                "Webhooks", "RedisBackend", "RedisClient", "Dialects", "GatewayCore", "TestSupport", "TestKit", nioCore,
                nioPosix, nioTLS, logging, metrics, lifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GatewayNodeTests",
            dependencies: [
                "GatewayNode", "GatewayCore", "ControlAPI", "Archive", "Dialects", "RedisBackend", "Webhooks",
                "TestSupport", "TestKit",
                crypto,
                nioCore, nioPosix, nioTLS, lifecycle, logging, metrics,
                .product(name: "JWTKit", package: "jwt-kit", condition: forNodes),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MartletClientTests",
            dependencies: [
                "MartletClient", "WebSocketFrames", "Dialects", "TestSupport", "GatewayCore", nioCore, nioPosix, nioTLS,
            ],
            swiftSettings: strict),
        .testTarget(name: "TracesTests", dependencies: ["Traces", "GatewayCore", tracing], swiftSettings: strict),
        .testTarget(name: "LoadBenchTests", dependencies: ["LoadBench", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "StormJudgeTests", dependencies: ["StormJudge", "MartletClient"], swiftSettings: strict),
        // Two real node processes on one real Redis.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "martlet", "MartletClient", "RedisBackend", "Archive", "GatewayCore", "Dialects", "StormJudge",
                "TestSupport",
                "TestKit", nioCore, nioPosix, nioTLS,
            ],
            swiftSettings: strict + unoptimized
        ),
    ],
    swiftLanguageModes: [.v6]
)
