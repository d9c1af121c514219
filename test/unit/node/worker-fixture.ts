/**
 * A worker process for the tests of the node manager: it joins its node, says what happens to it on stdout, and does
 * what FIXTURE says. Nothing of the real worker is in it.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { outputMark } from '../../../runtime/base/output-mark.ts'
import { openClaimPage } from '../../../runtime/objects/claim-page.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import { dial } from '../../../runtime/transport/dial.ts'

const [runFolder = '', worker = ''] = process.argv.slice(2)
const mode = process.env['FIXTURE'] ?? ''

if (mode === 'crash') {
  process.stderr.write('first line\nError: the fixture cannot start\n')
  process.exit(3)
}
const node = JSON.parse(readFileSync(join(runFolder, 'node.json'), 'utf8')) as { id: ProcessId; token: string }
const page = openClaimPage(join(runFolder, 'pages', worker))
const link = await dial({
  address: { unix: join(runFolder, 'node.sock') },
  to: { node: node.id, process: node.id },
  from: { kind: 'worker', node: node.id, process: worker as ProcessId, info: { pid: process.pid } },
  token: node.token,
})
link.onClose = () => process.exit(0)
link.onMessage = (message) => {
  if (message[0] === MessageType.workerExit) process.exit(0)
  if (message[0] === MessageType.codePlace) process.stdout.write(`code ${String(message[2])}: ${String(message[3])}\n`)
  if (message[0] !== MessageType.leaseStart) return
  const epoch = message[1] as number
  for (let sequence = 0; sequence < 3; sequence++) page?.start(epoch, sequence)
  process.stdout.write(`${outputMark('fixture')}epoch ${epoch} begins\n`)
  if (mode === 'grandchild') {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' })
    writeFileSync(join(runFolder, 'grandchild'), String(child.pid))
  }
  if (mode === 'code') link.send([MessageType.codeNeed, 1, 'a'.repeat(32)])
  // A worker may not begin the job of another process.
  if (mode === 'fault') link.send([MessageType.jobStart, 1, node.id, {}])
  process.stdout.write(`epoch ${epoch} is ready\n`)
}
