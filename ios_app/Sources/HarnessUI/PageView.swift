#if canImport(SwiftUI)
    import Foundation
    import HarnessScreens
    import SwiftUI

    /// A page of cards. `share` gives the file of a run.
    struct PageView: View {
        let page: Page
        var share: (String) -> URL? = { _ in nil }
        @Environment(\.colorScheme) private var scheme

        var body: some View {
            ScrollView {
                VStack(alignment: .leading, spacing: 12) {
                    if let alert = page.alert { Text(alert).foregroundStyle(Ink.bad.color(scheme)) }
                    if let subtitle = page.subtitle { Text(subtitle).font(.footnote).foregroundStyle(Ink.faint.color(scheme)) }
                    ForEach(page.cards) { card in CardView(card: card, share: share) }
                }
                .padding(16)
            }
            .background(Ink.background.color(scheme))
            .navigationTitle(page.title)
        }
    }

    struct CardView: View {
        let card: Card
        let share: (String) -> URL?
        @Environment(\.colorScheme) private var scheme

        var body: some View {
            VStack(alignment: .leading, spacing: 8) {
                HStack {
                    Text(card.heading).font(.headline).accessibilityAddTraits(.isHeader)
                    Spacer()
                    if let badge = card.badge { BadgeView(badge: badge) }
                }
                ForEach(Array(card.blocks.enumerated()), id: \.offset) { numbered in block(numbered.element) }
            }
            .frame(maxWidth: .infinity, alignment: .leading)
            .padding(14)
            .background(Ink.card.color(scheme), in: RoundedRectangle(cornerRadius: 14))
        }

        @ViewBuilder private func block(_ block: Block) -> some View {
            switch block {
            case .figure(let text, let spoken): Text(text).font(.largeTitle).bold().accessibilityLabel(spoken)
            case .body(let text, let tone): Text(text).font(.subheadline).foregroundStyle(tone.ink.color(scheme))
            case .note(let text): Text(text).font(.footnote).foregroundStyle(Ink.faint.color(scheme))
            case .badge(let badge): BadgeView(badge: badge)
            case .progress(let done, let total): ProgressView(value: Double(min(done, total)), total: Double(max(total, 1)))
            case .plot(let plot): PlotView(plot: plot)
            case .run(let row): RunRowView(row: row, file: share(row.id))
            }
        }
    }

    struct BadgeView: View {
        let badge: Badge
        @Environment(\.colorScheme) private var scheme

        var body: some View {
            let color = badge.tone.ink.color(scheme)
            Text(badge.text).font(.caption).bold().foregroundStyle(color)
                .padding(.horizontal, 10).padding(.vertical, 4)
                .overlay { Capsule().stroke(color, lineWidth: 1) }
        }
    }

    struct RunRowView: View {
        let row: RunRow
        let file: URL?
        @Environment(\.colorScheme) private var scheme

        var body: some View {
            HStack {
                VStack(alignment: .leading) {
                    Text(row.title).font(.subheadline)
                    Text(row.detail).font(.caption).foregroundStyle((row.usable ? Ink.faint : Ink.bad).color(scheme))
                }
                Spacer()
                if let file {
                    ShareLink(item: file) { Text("Share") }.accessibilityLabel("Share the record of run \(row.id)")
                }
            }
        }
    }
#endif
