/**
 * Mocha's spec reporter, which also writes the run's totals as JSON to the file in OUTPOOL_TEST_TOTALS. The file is
 * written only when a run comes to its end: a run that dies leaves none.
 */
const { writeFileSync } = require('node:fs')
const { reporters, Runner } = require('mocha')

const { EVENT_RUN_END, EVENT_TEST_PENDING } = Runner.constants
const totalsFile = process.env['OUTPOOL_TEST_TOTALS']
// What the tests start must not write there.
delete process.env['OUTPOOL_TEST_TOTALS']

module.exports = class TotalsReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    if (totalsFile === undefined) return
    const pending = []
    runner.on(EVENT_TEST_PENDING, (test) => pending.push(test.fullTitle()))
    runner.once(EVENT_RUN_END, () => {
      const failures = this.failures.map((test) => test.fullTitle())
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      writeFileSync(totalsFile, JSON.stringify({ passed, failed, skipped, failures, pending }))
    })
  }
}
