/** The control groups around this process: those of a container, of a service, or of the machine. */
import { dirname } from 'node:path'

export interface ControlGroup {
  /** Where the files of the controller are. */
  readonly folder: string
  readonly version: 1 | 2
}

/**
 * The groups that a controller (`memory`, `pids`) counts this process in: its own, and those around it.
 * @param groups what /proc/self/cgroup says: `id:controllers:path`, with no controllers for version 2.
 */
export function controlGroups(groups: string, controller: string): ControlGroup[] {
  const found: ControlGroup[] = []
  for (const [, controllers = '', path = ''] of groups.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    const version = controllers === '' ? 2 : 1
    if (version === 1 && !controllers.split(',').includes(controller)) continue
    const top = version === 2 ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`
    // Within a container the path may be that outside of it; the top is then its own group.
    for (let place = path; place !== '/' && place !== '.' && place !== ''; place = dirname(place))
      found.push({ folder: `${top}${place}`, version })
    found.push({ folder: top, version })
  }
  return found
}
