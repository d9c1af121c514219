/** Holds the lock of the process that its arguments name, until it is killed. */
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { holdLock } from '../../../runtime/objects/process-lock.ts'

const [folder = '', id = ''] = process.argv.slice(2)
holdLock(folder, id as ProcessId)
process.send?.('held')
setInterval(() => {}, 60_000)
