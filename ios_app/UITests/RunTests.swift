import XCTest

/// The second way to run on a device: `xcodebuild test-without-building` and the device services drive the app from here. The runner
/// process lives beside the measurement, so numbers of these tests are for checking, not for comparing.
@MainActor
final class RunTests: XCTestCase {
    private static let longestRun: TimeInterval = 3600

    /// Runs the request that the test's own environment names, keeps the record as an attachment. Set the two variables in the
    /// `.xctestrun` file (`ci/xctestrun.py`).
    func testOneRun() throws {
        let given = ProcessInfo.processInfo.environment
        guard let artifact = given["DEEPNARROW_ARTIFACT"], let request = given["DEEPNARROW_REQUEST"] else {
            throw XCTSkip("DEEPNARROW_ARTIFACT and DEEPNARROW_REQUEST are not set")
        }
        let app = XCUIApplication()
        app.launchEnvironment = ["DEEPNARROW_ARTIFACT": artifact, "DEEPNARROW_REQUEST": request, "DEEPNARROW_STAY": "1"]
        app.launch()
        let record = app.staticTexts["record"]
        XCTAssertTrue(record.waitForExistence(timeout: Self.longestRun), "no record after \(Self.longestRun) s")
        keep(record.label, name: "record.json")
    }

    /// Presses Run and opens the app again after each run, until the results are there.
    func testSeries() throws {
        guard ProcessInfo.processInfo.environment["DEEPNARROW_SERIES"] != nil else { throw XCTSkip("DEEPNARROW_SERIES is not set") }
        let app = XCUIApplication()
        app.launch()
        let run = app.buttons["run"]
        XCTAssertTrue(run.waitForExistence(timeout: 30) && run.isEnabled, "there is nothing to run: copy artifacts into the app first")
        run.tap()
        while !app.otherElements["results"].exists {
            let between = app.staticTexts["between"]
            if between.waitForExistence(timeout: 10) { app.launch() }
            XCTAssertFalse(app.staticTexts["message"].exists, app.staticTexts["message"].label)
        }
    }

    private func keep(_ text: String, name: String) {
        let attachment = XCTAttachment(data: Data(text.utf8), uniformTypeIdentifier: "public.json")
        attachment.name = name
        attachment.lifetime = .keepAlways
        add(attachment)
    }
}
