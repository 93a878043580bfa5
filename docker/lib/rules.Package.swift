// swift-tools-version: 6.2
import PackageDescription

// The rules and the dialects alone, which need nothing else: for `docker/local rules`.

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

let package = Package(
    name: "martlet",
    targets: [
        .target(name: "GatewayCore", swiftSettings: strict),
        .target(name: "Dialects", dependencies: ["GatewayCore"], swiftSettings: strict),
        .target(name: "TestSupport", swiftSettings: strict),
        .testTarget(name: "GatewayCoreTests", dependencies: ["GatewayCore", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "DialectsTests", dependencies: ["Dialects", "GatewayCore", "TestSupport"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
