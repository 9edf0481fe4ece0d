package dev.deepnarrow.core.desktop

import dev.deepnarrow.core.Device
import dev.deepnarrow.core.DeviceKind
import dev.deepnarrow.core.UserError
import dev.deepnarrow.core.Wire
import java.io.File
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** Sensors of a played device; null leaves them to this machine, which on a desktop has none. */
@Serializable
class PlayedEnvironment(
    @SerialName("time_utc") val timeUtc: String? = null,
    @SerialName("thermal_status") val thermalStatus: Int? = null,
    @SerialName("thermal_headroom") val thermalHeadroom: Double? = null,
    @SerialName("battery_percent") val batteryPercent: Int? = null,
    @SerialName("battery_celsius") val batteryCelsius: Double? = null,
    val plugged: Boolean? = null,
    @SerialName("power_save") val powerSave: Boolean? = null,
    val foreground: Boolean? = null,
)

/** A device that this machine plays: what the record then says of it. Its kind is always `fake`. */
@Serializable
class PlayedDevice(val device: Device, val environment: PlayedEnvironment = PlayedEnvironment()) {
    companion object {
        /** Throws [UserError] if the file is not one, or claims to be a real device. */
        fun read(file: File): PlayedDevice {
            val played = Wire.read(serializer(), file, Wire.MAX_REQUEST_BYTES)
            if (played.device.kind != DeviceKind.FAKE) {
                throw UserError("$file: device.kind ${played.device.kind.word} must be ${DeviceKind.FAKE.word}: a played device is never a real one")
            }
            return played
        }
    }
}
