package pipeline

import groovy.transform.*
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicReference

/**
 * What surrounds a step: the agent, container, folder, variables and secrets its enclosing blocks have set.
 * Never changed; a block runs its body with a copy (`plus`), so leaving the block needs no undoing.
 */
@Immutable(knownImmutables = ['branch', 'agent'], copyWith = true)
class Context {
    /** The context of the pipeline code or step that a thread is running, for variables like env and for the log. */
    private static final ThreadLocal<Context> CURRENT = new ThreadLocal<>()
    Branch branch
    Agent agent
    String container, shell, folder
    /** Pod templates of enclosing podTemplate steps, by label. */
    Map<String, Object> pods = [:]
    Map<String, String> env = [:]
    /** What the log must not show. */
    List<String> secrets = []

    static Context getCurrent() { CURRENT.get() }
    static void setCurrent(Context context) { CURRENT.set(context) }
    Context plus(Map<String, Object> changes) { copyWith(changes) }
}

/**
 * One line of execution, and how timeouts and aborts reach it.
 * An interruption is only noted here; steps that wait look for it with `check()`. Threads are never interrupted, so
 * the clean-up of a pod cannot be cut short half-way.
 */
@CompileStatic
class Branch {
    private final AtomicReference<Throwable> pending = new AtomicReference<>()
    private final List<Branch> children = new CopyOnWriteArrayList<>()

    Branch child() { children.with { Branch child = new Branch(); add(child); child } }
    void remove(Branch child) { children.remove(child) }
    void interrupt(Throwable cause) { children ? children*.interrupt(cause) : pending.set(cause) }
    /** Forgets an interruption that came too late. */
    void forgive(Throwable cause) { pending.compareAndSet(cause, null) }

    /** Throws the interruption, once. */
    void check() {
        Throwable cause = pending.getAndSet(null)
        if (cause) { throw cause }
    }

    void pause(long millis) {
        long end = System.currentTimeMillis() + millis
        for (check(); System.currentTimeMillis() < end; check()) {
            Thread.sleep(Math.max(1L, Math.min(50L, end - System.currentTimeMillis())))
        }
    }
}
