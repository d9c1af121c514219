/**
 * What a process loads when it is first used. Most workers run plain functions with plain arguments: they never submit
 * anything, share a value or read a variable of a function; what that takes would be a third of their memory.
 *
 * The sources import these modules like any others. The build puts them into chunks of their own and, in the chunks that
 * use them, replaces the names that it imports by properties of an object which loads the chunk when the first of them is
 * read: at once, by `runtime/base/compiled-script.ts`, so nothing becomes asynchronous. What they import and nothing else
 * does comes along. No module may need one of them while it is loaded itself, by `extends` or for a constant: then the
 * chunk would be loaded with it. A test looks at what an idle worker has loaded.
 */
import { relative } from 'node:path'

/** Names of chunks; folders, or modules. */
const lazy = {
  // What goes wrong: thirty classes.
  errors: ['runtime/base/errors.ts', 'runtime/objects/error-classes.ts'],
  // Variables of functions: read, analysed, sent and made again.
  captures: [
    'runtime/code/analysis/',
    'runtime/code/captures/',
    'runtime/code/outside-uses.ts',
    'runtime/code/refusal.ts',
    'runtime/code/original-places.ts',
    'runtime/code/free-variables.ts',
    'runtime/code/standard-globals.ts',
    'runtime/code/scope.ts',
    'runtime/code/loaded-exports.ts',
    'runtime/code/parse-function.ts',
    'runtime/code/modules/npm-package.ts',
  ],
  // What an owner is: objects, refs and tasks of one's own.
  owner: [
    'runtime/owner/owner.ts',
    'runtime/owner/pulling.ts',
    'runtime/owner/submit-state.ts',
    'runtime/owner/submit-leases.ts',
    'runtime/owner/recorded-submit.ts',
    'runtime/owner/generator-state.ts',
    'runtime/owner/lease-record.ts',
    'runtime/owner/class-record.ts',
    'runtime/owner/located-tasks.ts',
    'runtime/owner/failures.ts',
    'runtime/owner/loss-errors.ts',
    'runtime/owner/old-events.ts',
    'runtime/owner/prefetch.ts',
    'runtime/owner/recorded-pulls.ts',
    'runtime/scheduler/policy-replicas.ts',
  ],
  // Values beyond numbers, short texts and constants: texts, arrays and plain objects.
  codec: [
    'runtime/objects/encoder.ts',
    'runtime/objects/encode-tables.ts',
    'runtime/objects/byte-writer.ts',
    'runtime/objects/decoder.ts',
    'runtime/objects/byte-reader.ts',
    'runtime/objects/packed-numbers.ts',
  ],
  // Values beyond these.
  values: [
    'runtime/objects/decode-kinds.ts',
    'runtime/objects/encode-kinds.ts',
    'runtime/objects/parts-reader.ts',
    'runtime/objects/value-buffers.ts',
    'runtime/objects/value-errors.ts',
    'runtime/objects/value-flatten.ts',
    'runtime/objects/value-refusal.ts',
  ],
  // Large values: the store of the node, and transfers.
  store: [
    'runtime/owner/node-store.ts',
    'runtime/objects/arena-store.ts',
    'runtime/objects/file-store.ts',
    'runtime/objects/spill-files.ts',
    'runtime/objects/transfer.ts',
    'runtime/objects/arrival.ts',
    'runtime/objects/arena-memory.ts',
    'runtime/objects/arena-space.ts',
    'runtime/objects/arena-holders.ts',
    'runtime/objects/arena-journal.ts',
    'runtime/objects/arena-writer.ts',
    'runtime/objects/mapped-values.ts',
    'runtime/objects/coverage.ts',
    'runtime/objects/process-lock.ts',
    'runtime/objects/pull-failures.ts',
    'runtime/transport/bulk.ts',
    'runtime/transport/raw-bulk.ts',
  ],
  // What workers do for calls that throw, generate, take arguments from stores or give what goes there.
  unusual: [
    'runtime/worker/argument-values.ts',
    'runtime/worker/item-window-state.ts',
    'runtime/worker/lost-changes.ts',
    'runtime/worker/store-results.ts',
    'runtime/worker/thrown.ts',
  ],
  // Links to other machines.
  network: ['runtime/transport/http-incoming.ts', 'runtime/transport/upgrade.ts', 'runtime/transport/address-error.ts'],
}

/** Everything of ours that a module imports statically, directly or through others; `except` says where to stop. */
export function reachOf(entry, getModuleInfo, except = () => false) {
  const reached = new Set()
  const open = [entry]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const imported of getModuleInfo(path).importedIds) {
      if (reached.has(imported) || getModuleInfo(imported).isExternal || except(imported)) continue
      reached.add(imported)
      open.push(imported)
    }
  }
  return reached
}

export function isLazyChunk(name) {
  return name === sharedName || Object.hasOwn(lazy, name)
}

/** What several of them need, and nothing else. */
const sharedName = 'lazy'

/**
 * A map from modules to the names of their lazy chunks: those that `entry` can reach through the modules above alone, and
 * so can `front`, what programs import, of which the modules `withCalls` are loaded by their first call.
 */
export function lazyModules(root, { entry, front, withCalls }, getModuleInfo) {
  const chunkOf = (path) => {
    const place = relative(root, path)
    const found = Object.entries(lazy).find(([, places]) => places.some((start) => place.startsWith(start)))
    return found?.[0]
  }
  const isListed = (path) => chunkOf(path) !== undefined
  const isAhead = (path) => isListed(path) || withCalls.includes(relative(root, path))
  const atOnce = new Set([...reachOf(entry, getModuleInfo, isListed), ...reachOf(front, getModuleInfo, isAhead)])
  const names = new Map()
  for (const listed of [...reachOf(entry, getModuleInfo)].filter(isListed)) {
    const name = chunkOf(listed)
    names.set(listed, name)
    for (const path of reachOf(listed, getModuleInfo, isListed)) {
      if (atOnce.has(path)) continue
      const other = names.get(path)
      names.set(path, other === undefined || other === name ? name : sharedName)
    }
  }
  return names
}
