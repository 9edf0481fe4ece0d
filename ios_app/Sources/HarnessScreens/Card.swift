/// How a text is meant.
public enum Tone: Sendable, Equatable {
    case plain, faint, good, warning, bad

    public var ink: Ink {
        switch self {
        case .plain: .text
        case .faint: .faint
        case .good: .good
        case .warning: .warning
        case .bad: .bad
        }
    }
}

/// A short word in a frame.
public struct Badge: Sendable, Equatable {
    public let text: String
    public let tone: Tone

    public init(_ text: String, _ tone: Tone) {
        self.text = text
        self.tone = tone
    }
}

/// One piece of a card.
public enum Block: Sendable {
    /// A big number and how VoiceOver reads it.
    case figure(String, spoken: String)
    case body(String, Tone)
    /// The small text that explains.
    case note(String)
    case badge(Badge)
    case progress(done: Int, total: Int)
    case plot(any Plot)
    /// A run with a button that shares its file.
    case run(RunRow)
}

/// What belongs together on a screen, under one heading.
public struct Card: Sendable, Identifiable {
    public let id: String
    public let badge: Badge?
    public let blocks: [Block]

    /// `heading` is also the card's identity on its screen.
    public init(_ heading: String, badge: Badge? = nil, _ blocks: [Block]) {
        id = heading
        self.badge = badge
        self.blocks = blocks
    }

    public var heading: String { id }
}

/// A screen that is read: the app shows it, `screen-pictures` draws it.
public struct Page: Sendable {
    public let title: String
    public let subtitle: String?
    /// Said in red above everything else.
    public let alert: String?
    public let cards: [Card]

    public init(title: String, subtitle: String? = nil, alert: String? = nil, cards: [Card]) {
        self.title = title
        self.subtitle = subtitle
        self.alert = alert
        self.cards = cards
    }
}

/// One run in a list: what, how it ended, its latency.
public struct RunRow: Sendable, Identifiable, Equatable {
    public let id: String
    public let title: String
    public let detail: String
    public let usable: Bool

    public init(_ run: RunSummary) {
        id = run.runId
        let latency = run.contexts.first.map { ", \(Format.milliseconds($0.medianNs)) per token" } ?? ""
        title = "\(run.shapeName)\(latency)\(run.phone ? "" : ", \(run.device)")"
        detail = "\(run.startedUtc), \(Sentences.validity(run))"
        usable = run.usable
    }
}
