import { expect } from 'chai'
import { collectGarbage } from '../../../runtime/base/garbage.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { PromiseReader, type ReaderContext } from '../../../runtime/owner/sole-reader.ts'

const context: ReaderContext = {
  self: { node: newProcessId(), process: newProcessId() },
  refCodec: {} as ReaderContext['refCodec'],
  deliver: (_ref, _outcome, resolve) => resolve('a value'),
}

describe('the promise of a call', () => {
  it('gets what the call became', async () => {
    const reader = new PromiseReader(context, () => {})
    reader.settle(['stored', 1_000_000, []])
    expect(await reader.promise).to.equal('a value')
  })

  it('goes with its value when the program lets go of it, also that of the last call that was made', async () => {
    const promise = ((): WeakRef<object> => new WeakRef(new PromiseReader(context, () => {}).promise))()
    // What a turn of the loop has looked at stays until its end.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    expect(promise.deref()).to.equal(undefined)
  })
})
