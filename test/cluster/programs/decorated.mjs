/** Classes with decorators, as compilers make them: `decorated` is called here and in a worker. */
import { isDeepStrictEqual } from 'node:util'
import { init, remote, shutdown } from 'outpool'

const isLegacy = process.argv[2] === 'legacy'

/** Calls `method` and marks what it gives. */
const marked = (method) =>
  function (...args) {
    return `<${String(method.apply(this, args))}>`
  }

function wrap(target, context, property) {
  if (!isLegacy) return marked(target)
  if (property.value !== undefined) property.value = marked(property.value)
  else property.get = marked(property.get)
}

/** Adds a step to what is done when an instance is made: not twice in a worker. */
function counted(target, context) {
  if (isLegacy) return
  context.addInitializer(function () {
    this.made = (this.made ?? 0) + 1
  })
}

const registry = []
function register(made) {
  registry.push(made.name)
}

class Base {
  kind = 'saw'
  use(times) {
    return `${this.kind} ${times}`
  }
}

@register
class Tool extends Base {
  static made = registry.length + 1

  @wrap
  use(times) {
    return `used ${super.use(times)}`
  }
  @wrap
  @counted
  take() {
    return `taken ${this.made ?? 1}`
  }
  @wrap
  get size() {
    return 4
  }
  @wrap
  static make() {
    return `made ${this.made}`
  }
  late() {
    return 'written'
  }
}
Tool.prototype.late = () => 'replaced'
const tool = new Tool()

const decorated = (times) => [
  [tool.use(times), tool.take(), tool.size, tool.late(), Tool.make()],
  [new Tool().use(times), new Tool().take()],
  registry,
]

await init({ numCpus: 1 })
const far = remote(decorated)
for (const call of [1, 2]) {
  const there = await far.run(call)
  const here = decorated(call)
  console.log(
    isDeepStrictEqual(there, here) ? `same ${call}` : `DIFFERS ${JSON.stringify(there)} for ${JSON.stringify(here)}`,
  )
  registry.push('another')
}
await shutdown()
