// Enhances the components of the design system; every page works without it.
// @ts-expect-error The library comes as it is published, beside this file.
import { initAll } from './nhsuk.js'

initAll()
