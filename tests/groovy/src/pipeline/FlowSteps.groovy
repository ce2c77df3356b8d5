package pipeline

import hudson.AbortException
import java.util.concurrent.TimeUnit
import org.jenkinsci.plugins.workflow.steps.*

/** Steps that need no node: messages, errors, time, repetition, branches. */
class FlowSteps {
    private final Build build = Build.current

    @Step('message') void echo(StepCall call) { build.log.line(call.args.message) }
    @Step('message') void error(StepCall call) { throw new AbortException(call.text('message')) }
    @Step('name') Object stage(StepCall call) { call.body(StepCall.BODY, call.text('name'), call.context) }
    /** Of declarative pipelines; all their code is Groovy here anyway. */
    @Step Object script(StepCall call) { call.body(call.context) }
    @Step boolean isUnix(StepCall call) { true }
    @Step(['time', 'unit']) void sleep(StepCall call) { call.branch.pause(millis(call, 'SECONDS')) }
    @Step(['resource', 'encoding'])
    String libraryResource(StepCall call) { build.sources.resource(call.text('resource'), call.text('encoding')) }

    @Step('message')
    void unstable(StepCall call) {
        build.log.line("WARNING: $call.args.message")
        build.worsen('UNSTABLE')
    }

    /** `PATH+X=dir` puts dir before PATH; $NAME and ${NAME} are what that variable is, and two dollar signs are one. */
    @Step('overrides')
    Object withEnv(StepCall call) {
        Map<String, String> added = [:]
        call.args.overrides.each { String pair ->
            String key = pair.takeWhile { it != '=' }, value = pair.drop(key.length() + 1)
            String name = key.takeWhile { it != '+' }
            String before = added[name] ?: build.environment(call.context)[name]
            value = value.replaceAll(/\$(?:(\w+)|\{([\w.]+)\}|(\$))/) { all, plain, braced, dollar ->
                dollar ?: (build.environment(call.context) + added).getOrDefault(plain ?: braced, all)
            }
            added[name] = name == key || !before ? value : "$value:$before".toString()
        }
        return call.body(call.context + [env: call.context.env + added])
    }

    @Step(['count', 'conditions'])
    Object retry(StepCall call) {
        for (int left = call.args.count as int; ; left--) {
            try {
                return call.body(call.context)
            } catch (Exception failure) {
                if (left <= 1 || !worthAnother(call.args.conditions, failure)) { throw failure }
                build.log.failure(failure)
                build.log.line('Retrying')
            }
        }
    }

    /** kubernetesAgent() wants a lost pod that may fare better next time; nonresumable() a restarted controller. */
    private static boolean worthAnother(List<Map> conditions, Exception failure) {
        String lost = failure instanceof FlowInterruptedException ? failure.lostAgent : null
        return conditions == null ? !(failure instanceof FlowInterruptedException)
            : lost && !(lost =~ /OOMKilled|Completed|DeadlineExceeded/) && 'kubernetesAgent' in conditions*.$symbol
    }

    @Step(['time', 'unit', 'activity'])
    Object timeout(StepCall call) {
        long limit = millis(call, 'MINUTES'), start = System.currentTimeMillis()
        Closure last = { call.args.activity ? Math.max(start, build.log.activity) : start }
        FlowInterruptedException cause = new FlowInterruptedException('Timeout has been exceeded')
        String limits = call.args.activity ? "after ${limit / 1000} sec without activity" : "in ${limit / 1000} sec"
        build.log.line("Timeout set to expire $limits")
        Thread watch = Thread.startDaemon {
            try {
                while (System.currentTimeMillis() - last() < limit) { Thread.sleep(50) }
                build.log.line('Cancelling nested steps due to timeout')
                call.branch.interrupt(cause)
            } catch (InterruptedException inTime) { }
        }
        try {
            return call.body(call.context)
        } finally {
            watch.interrupt()
            call.branch.forgive(cause)
        }
    }

    @Step(['message', 'buildResult', 'stageResult', 'catchInterruptions'])
    Object catchError(StepCall call) { caught(call, call.text('buildResult') ?: 'FAILURE') }

    @Step(['message', 'catchInterruptions'])
    Object warnError(StepCall call) { caught(call, 'UNSTABLE') }

    private Object caught(StepCall call, String result) {
        try {
            return call.body(call.context)
        } catch (Exception failure) {
            boolean interrupted = failure instanceof FlowInterruptedException
            if (interrupted && call.args.catchInterruptions == false) { throw failure }
            if (call.args.message) { build.log.line("ERROR: $call.args.message") }
            build.log.failure(failure)
            build.worsen(interrupted ? failure.result : result)
        }
    }

    /** One thread per branch; the first failure is the step's, the others are kept with it. */
    @Step
    Map<String, Object> parallel(StepCall call) {
        Map<String, Object> results = Collections.synchronizedMap([:])
        List<Throwable> failures = Collections.synchronizedList([])
        Map<String, Branch> branches = call.closures.collectEntries { name, id -> [name, call.branch.child()] }
        List<Thread> threads = branches.collect { String name, Branch branch ->
            Thread.start {
                try {
                    results[name] = call.body(name, "Branch: $name", call.context + [branch: branch])
                } catch (Throwable failure) {
                    build.log.line("Failed in branch $name")
                    failures << failure
                    FlowInterruptedException cause =
                        new FlowInterruptedException(reason: "Failed in branch $name", kind: new FailFastCause())
                    if (call.flag('failFast')) { (branches - [(name): branch]).values()*.interrupt(cause) }
                }
            }
        }
        threads*.join()
        branches.values().each { call.branch.remove(it) }
        failures.findAll { !it.is(failures[0]) }.each { failures[0].addSuppressed(it) }
        if (failures) { throw failures[0] }
        return branches.keySet().collectEntries { [it, results[it]] }
    }

    private static long millis(StepCall call, String defaultUnit) {
        return TimeUnit.valueOf(call.text('unit') ?: defaultUnit).toMillis(call.args.time as long)
    }
}
