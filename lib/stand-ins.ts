/** What shims tell of the modules that they make, so that those travel by name. */
export { noteStandIn } from '../runtime/code/noted-stand-ins.ts'
export { codePlaces } from '../runtime/code/code-places.ts'
/** Where the program was when it loaded this package. */
export { startFolder } from '../runtime/base/working-folder.ts'
