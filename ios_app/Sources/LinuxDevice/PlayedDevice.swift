import Foundation
import HarnessCore

/// Sensors of a played device; nil leaves them to this machine, which on a desktop has none.
public struct PlayedEnvironment: Codable, Sendable, Hashable {
    @Nullable public var timeUtc: String?
    @Nullable public var thermalStatus: Int?
    @Nullable public var thermalHeadroom: Double?
    @Nullable public var batteryPercent: Int?
    @Nullable public var batteryCelsius: Double?
    @Nullable public var plugged: Bool?
    @Nullable public var powerSave: Bool?
    @Nullable public var foreground: Bool?

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        timeUtc = try keys.decodeIfPresent(String.self, forKey: .timeUtc)
        thermalStatus = try keys.decodeIfPresent(Int.self, forKey: .thermalStatus)
        thermalHeadroom = try keys.decodeIfPresent(Double.self, forKey: .thermalHeadroom)
        batteryPercent = try keys.decodeIfPresent(Int.self, forKey: .batteryPercent)
        batteryCelsius = try keys.decodeIfPresent(Double.self, forKey: .batteryCelsius)
        plugged = try keys.decodeIfPresent(Bool.self, forKey: .plugged)
        powerSave = try keys.decodeIfPresent(Bool.self, forKey: .powerSave)
        foreground = try keys.decodeIfPresent(Bool.self, forKey: .foreground)
    }
}

/// A device that this machine plays: what the record then says of it. Its kind is always `fake`.
public struct PlayedDevice: Codable, Sendable, Hashable {
    public var device: DeviceFacts
    @Nullable public var environment: PlayedEnvironment?

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        device = try keys.decode(DeviceFacts.self, forKey: .device)
        environment = try keys.decodeIfPresent(PlayedEnvironment.self, forKey: .environment)
    }

    /// Throws `UserError` if the file is not one, or claims to be a real device.
    public static func read(_ file: URL) throws -> PlayedDevice {
        let played = try Wire.readStrict(PlayedDevice.self, file)
        if played.device.kind != .fake {
            throw UserError("\(file.path): device.kind \(played.device.kind.rawValue) must be fake: a played device is never a real one")
        }
        return played
    }
}
