package pipeline

import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.Continuation
import com.cloudbees.groovy.cps.Envs
import com.cloudbees.groovy.cps.ObjectInputStreamWithLoader
import com.cloudbees.groovy.cps.Outcome
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation
import groovy.transform.CompileStatic

/**
 * The running pipeline as groovy-cps sees it, and what a controller restart would keep of it.
 *
 * Everything that belongs to the pipeline (the script, the body of each block step, each branch of `parallel`)
 * lives in one table. At every step the whole table is written to bytes and the run goes on with what was read
 * back, so a value that would not survive a restart fails here, and objects shared between branches stay shared.
 * Pipeline code runs under this object's lock, one thread at a time, as in Jenkins; steps run outside it.
 */
@CompileStatic
class Program {
    private static final List<Class> CATEGORIES = (Continuable.categories + [(Class) Iterators]).asImmutable()

    /** A value of the pipeline that waits in the table until its receiver goes on. */
    static class Held {
        final int id

        Held(int id) { this.id = id }
    }

    private final ClassLoader loader
    private final StepTable steps
    private Map<Integer, Object> table = [:]
    private int lastId

    Program(ClassLoader loader, StepTable steps) {
        this.loader = loader
        this.steps = steps
    }

    synchronized int hold(Object value) {
        table[++lastId] = value
        return lastId
    }

    /** Runs the script to its end. */
    Object runScript(Script script, Context context) {
        return release(run(hold(new Continuable(script)), context))
    }

    /** Runs a held closure to its end; the result stays in the table until the caller's step returns it. */
    Held runBody(int closureId, Context context) {
        Object started = start(closureId)
        return started instanceof Held ? (Held) started : run((int) started, context)
    }

    /** The id of the body's Continuable, or its result when it was no pipeline code. */
    private synchronized Object start(int closureId) {
        try {
            return new Held(hold(((Closure) table[closureId]).call()))
        } catch (CpsCallableInvocation call) {
            return hold(new Continuable(call.invoke(Envs.empty(), null, Continuation.HALT)))
        }
    }

    private Held run(int id, Context context) {
        Outcome next = new Outcome(null, null)
        while (true) {
            Outcome yielded = resume(id, next, context)
            if (yielded.abnormal) {
                throw yielded.abnormal
            }
            if (yielded.normal instanceof Held) {
                return (Held) yielded.normal
            }
            next = perform((StepCall) yielded.normal)
        }
    }

    /** Up to the next step (a StepCall), or to the end (a Held result or the exception nobody caught). */
    private synchronized Outcome resume(int id, Outcome next, Context context) {
        Context.current = context
        Continuable continuable = (Continuable) table[id]
        CpsCallableInvocation.registerMismatchHandler(new Mismatch())
        Outcome yielded = continuable.run0(received(next), CATEGORIES)
        if (!continuable.isResumable()) {
            table.remove(id)
            return yielded.abnormal ? yielded : new Outcome(new Held(hold(yielded.normal)), null)
        }
        StepCall call = (StepCall) yielded.normal
        call.suspended(this, context, continuable.stackTrace)
        return new Outcome(call, null)
    }

    private Outcome perform(StepCall call) {
        try {
            checkpoint()
            return new Outcome(steps.invoke(call), null)
        } catch (Throwable t) {
            return new Outcome(null, call.located(t))
        } finally {
            call.closures.values().each { Integer id -> release(new Held(id)) }
        }
    }

    private synchronized Object release(Held value) {
        return table.remove(value.id)
    }

    private Outcome received(Outcome next) {
        Object value = next.normal
        if (value instanceof Held) {
            return new Outcome(release((Held) value), null)
        }
        if (value instanceof Map && ((Map) value).values().any { it instanceof Held }) {
            return new Outcome(((Map) value).collectEntries { k, v -> [(k): release((Held) v)] }, null)
        }
        return next
    }

    private synchronized void checkpoint() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream()
        new ObjectOutputStream(bytes).withCloseable { ObjectOutputStream out -> out.writeObject(table) }
        InputStream stored = new ByteArrayInputStream(bytes.toByteArray())
        table = (Map<Integer, Object>) new ObjectInputStreamWithLoader(stored, loader).readObject()
    }

    /** A step, or any other method of the pipeline, called from code that is not CPS-transformed. */
    private static class Mismatch implements CpsCallableInvocation.MismatchHandler {
        void handle(Object expectedReceiver, String expected, Object actualReceiver, String actual) {
            String where = expectedReceiver == null ? '' : "${expectedReceiver.class.simpleName}."
            throw new IllegalStateException("expected to call ${where}${expected} but wound up catching ${actual}; " +
                'see: https://jenkins.io/redirect/pipeline-cps-method-mismatches/')
        }
    }
}
