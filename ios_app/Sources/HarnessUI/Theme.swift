#if canImport(SwiftUI)
    import HarnessScreens
    import SwiftUI

    extension Ink {
        func color(_ scheme: ColorScheme) -> Color {
            let rgb = Palette.rgb(self, dark: scheme == .dark)
            return Color(red: rgb.red / 255, green: rgb.green / 255, blue: rgb.blue / 255)
        }
    }
#endif
