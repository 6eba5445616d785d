import t from 'tap'
import { noBrowser } from '../helpers/browser.ts'
import { leftOut, WALK_MILLISECONDS_MAX, walk } from './walk.ts'
import { setStage } from './walk-stage.ts'

t.setTimeout(WALK_MILLISECONDS_MAX)

t.test('the pages of auditors and administrators', { skip: noBrowser() }, async t => {
  const stage = await setStage(t)
  t.same(leftOut(stage), [], 'no page is left out of all the walks')
  await walk(t, stage, ['auditor', 'administrator'])
})
