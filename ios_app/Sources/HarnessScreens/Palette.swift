/// Colours of the two themes, 0 to 255; those of the Android app.
public enum Palette {
    public static func rgb(_ ink: Ink, dark: Bool) -> (red: Double, green: Double, blue: Double) { dark ? Self.dark(ink) : light(ink) }

    private static func light(_ ink: Ink) -> (Double, Double, Double) {
        switch ink {
        case .background: (243, 245, 249)
        case .card: (255, 255, 255)
        case .line: (214, 220, 230)
        case .text: (21, 27, 38)
        case .faint: (84, 95, 114)
        case .deep: (32, 98, 204)
        case .wide: (190, 92, 0)
        case .good: (22, 121, 68)
        case .warning: (150, 88, 0)
        case .bad: (186, 35, 43)
        }
    }

    private static func dark(_ ink: Ink) -> (Double, Double, Double) {
        switch ink {
        case .background: (14, 18, 26)
        case .card: (24, 30, 42)
        case .line: (54, 64, 82)
        case .text: (232, 237, 245)
        case .faint: (160, 171, 190)
        case .deep: (108, 166, 255)
        case .wide: (255, 173, 92)
        case .good: (95, 209, 145)
        case .warning: (255, 190, 92)
        case .bad: (255, 120, 124)
        }
    }
}
