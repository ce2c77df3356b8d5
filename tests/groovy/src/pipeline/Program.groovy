package pipeline

import com.cloudbees.groovy.cps.*
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation
import com.cloudbees.groovy.cps.sandbox.SandboxInvoker
import groovy.transform.CompileStatic

/**
 * The running pipeline as groovy-cps sees it, and what a controller restart would keep of it.
 * The script, the body of each block step and each branch of `parallel` live in one table. At every step the whole
 * table is written to bytes and the run goes on with what was read back, so a value that would not survive a restart
 * fails here, and objects shared between branches stay shared.
 * Pipeline code runs under this object's lock, one thread at a time, as in Jenkins; steps run outside it.
 */
@CompileStatic
class Program {
    private static final List<Class> CATEGORIES = (Continuable.categories + [(Class) PipelineCategory]).asImmutable()
    private final Build build = Build.current
    private Map<Integer, Object> table = [:]
    private int lastId

    synchronized int hold(Object value) {
        table[++lastId] = value
        return lastId
    }

    /** Runs the script to its end. */
    Object runScript(Script script, Context context) { run(hold(new Continuable(script, sandbox())), context) }

    /** Runs a held closure to its end; one that is no pipeline code (a method pointer, say) has ended when called. */
    Object runBody(int closureId, Context context) {
        int id
        synchronized (this) {
            try {
                return ((Closure) table[closureId]).call()
            } catch (CpsCallableInvocation call) {
                id = hold(new Continuable(call.invoke(sandbox(), null, Continuation.HALT)))
            }
        }
        return run(id, context)
    }

    /** Calls of trusted code are told apart by the tag its compiler left at each of them. */
    private static Env sandbox() { Envs.empty(new SandboxInvoker()) }

    private Object run(int id, Context context) {
        Outcome yielded = resume(id, new Outcome(null, null), context)
        while (yielded.normal instanceof StepCall) {
            yielded = resume(id, perform((StepCall) yielded.normal), context)
        }
        return yielded.replay()
    }

    /** Up to the next step (a StepCall), or to the end. */
    private synchronized Outcome resume(int id, Outcome next, Context context) {
        Context.current = context
        Continuable continuable = (Continuable) table[id]
        CpsCallableInvocation.registerMismatchHandler(Program.&mismatch as CpsCallableInvocation.MismatchHandler)
        Sandbox sandbox = new Sandbox()
        sandbox.register()
        try {
            Outcome yielded = continuable.run0(next, CATEGORIES)
            if (continuable.isResumable()) {
                ((StepCall) yielded.normal).suspended(this, context, continuable.stackTrace)
            } else {
                table.remove(id)
            }
            return yielded
        } finally {
            sandbox.unregister()
        }
    }

    private Outcome perform(StepCall call) {
        try {
            checkpoint()
            return new Outcome(build.steps.invoke(call), null)
        } catch (Throwable t) {
            return new Outcome(null, call.located(t))
        } finally {
            synchronized (this) { table.keySet().removeAll(call.closures.values()) }
        }
    }

    private synchronized void checkpoint() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream()
        new ObjectOutputStream(bytes).writeObject(table)
        InputStream stored = new ByteArrayInputStream(bytes.toByteArray())
        table = (Map<Integer, Object>) new ObjectInputStreamWithLoader(stored, build.sources.loader).readObject()
    }

    /** A step, or any other method of the pipeline, called from code that is not CPS-transformed. */
    private static void mismatch(Object receiver, String expected, Object actualReceiver, String actual) {
        String where = receiver == null ? expected : "${receiver.class.simpleName}.$expected"
        throw new IllegalStateException("expected to call $where but wound up catching $actual; " +
            'see: https://jenkins.io/redirect/pipeline-cps-method-mismatches/')
    }
}
