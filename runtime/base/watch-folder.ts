import { type FSWatcher, watch } from 'node:fs'

/**
 * Calls `changed` with the name of what is written, made or removed in that folder, null where the system does not say.
 * Returns undefined where it tells of nothing (none of its watches is left, the folder is gone). It need not
 * tell of everything: whoever relies on it looks now and then. Keeps no process alive.
 */
export function watchFolder(
  folder: string,
  changed: (name: string | null) => void,
): Pick<FSWatcher, 'close'> | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_kind, name) => changed(name))
    watcher.on('error', () => {
      watcher.close()
      changed(null)
    })
    return watcher
  } catch {
    return undefined
  }
}
