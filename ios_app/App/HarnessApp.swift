import AppleDevice
import CoreMLEngine
import ExecuTorchEngine
import Foundation
import HarnessCore
import HarnessScreens
import HarnessUI
import OnnxEngine
import SwiftUI
import UIKit

@main
struct HarnessApp: App {
    @State private var model = AppModel(folders: .ofTheApp, measurer: DeviceMeasurer(), exit: { exit($0) })

    var body: some Scene {
        WindowGroup {
            HarnessView(model: model).task {
                UIApplication.shared.isIdleTimerDisabled = true
                await untilInFront()
                Foreground.shared.start()
                model.open(environment: ProcessInfo.processInfo.environment)
            }
        }
    }
}

/// A run belongs in front from its start. One that starts behind another app, or on a locked phone, says so in its record.
@MainActor private func untilInFront() async {
    for _ in 0..<50 where UIApplication.shared.applicationState != .active { try? await Task.sleep(for: .milliseconds(100)) }
}

extension Folders {
    static var ofTheApp: Folders {
        func folder(_ place: FileManager.SearchPathDirectory) -> URL { FileManager.default.urls(for: place, in: .userDomainMask)[0] }
        return Folders(documents: folder(.documentDirectory), support: folder(.applicationSupportDirectory))
    }
}
