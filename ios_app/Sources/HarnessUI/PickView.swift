#if canImport(SwiftUI)
    import HarnessScreens
    import SwiftUI

    /// Pick a pair or one artifact, say how to measure it, and press Run.
    struct PickView: View {
        @Bindable var model: AppModel
        @State private var isImporting = false

        var body: some View {
            List {
                Section {
                    Text("Measures what depth costs: per-token latency and memory bandwidth of two models of equal size.").font(.footnote)
                }
                candidates
                if model.pick.candidate != nil { settings }
                phone
                Section {
                    if let importing = model.importing { Text(importing).font(.footnote) }
                    Button("Run") { model.run() }.disabled(!model.pick.canRun).accessibilityIdentifier("run")
                    Button("Earlier runs") { model.showHistory() }.accessibilityIdentifier("history")
                }
            }
            .navigationTitle("deepnarrow")
            .toolbar {
                Button("Import") { isImporting = true }
                Button("Look again") { model.look() }
            }
            .fileImporter(isPresented: $isImporting, allowedContentTypes: [.folder]) { picked in
                Task { await model.importArtifacts(picked) }
            }
        }

        private var candidates: some View {
            Section("Pair or artifact") {
                if model.pick.candidates.isEmpty { Text(PickModel.nothingFound).font(.footnote) }
                ForEach(model.pick.candidates) { candidate in
                    Button { model.pick.choose(candidate.id) } label: {
                        CandidateLabel(candidate: candidate, isChosen: candidate.id == model.pick.choice.candidateId)
                    }
                }
                ForEach(model.pick.unusable, id: \.self) { Text($0).font(.footnote).foregroundStyle(.red) }
            }
        }

        private var settings: some View {
            Section("How") {
                let pick = model.pick
                Stepper("Threads: \(pick.numThreads)", value: $model.pick.numThreads, in: 1...max(1, pick.numCores))
                Text(pick.threadsNote).font(.footnote)
                if let candidate = pick.candidate, candidate.backends.count > 1 {
                    Picker("Compute units", selection: $model.pick.backend) {
                        ForEach(candidate.backends, id: \.self) { Text($0.rawValue).tag($0) }
                    }
                }
                Stepper("\(pick.runsLabel): \(pick.runsPerSide)", value: $model.pick.runsPerSide, in: 1...RunPlan.maxRunsPerSide)
                Text(pick.runsNote).font(.footnote)
                ForEach(pick.contextOptions) { option in
                    Toggle(option.label, isOn: $model.pick[isOn: option.id]).disabled(!option.fits).accessibilityLabel(option.spoken)
                }
                Text("Tokens already in the context. \(pick.contextsNote)").font(.footnote)
            }
        }

        private var phone: some View {
            Section("Phone") {
                Text(model.conditions.line)
                BadgeView(badge: model.conditions.badge)
                ForEach(model.conditions.concerns, id: \.self) { Text($0).font(.footnote) }
            }
        }
    }

    struct CandidateLabel: View {
        let candidate: Candidate
        let isChosen: Bool

        var body: some View {
            HStack {
                VStack(alignment: .leading) {
                    Text(candidate.title)
                    Text(candidate.detail).font(.footnote)
                }
                Spacer()
                if isChosen { Image(systemName: "checkmark") }
            }
            .accessibilityAddTraits(isChosen ? .isSelected : [])
        }
    }
#endif
