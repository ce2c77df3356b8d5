package pipeline

import hudson.AbortException
import java.util.concurrent.TimeUnit
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** Steps that need no node: messages, errors, time, repetition, branches. */
class FlowSteps {
    private final Build build
    private final Timer timer = new Timer('timeouts', true)

    FlowSteps(Build build) { this.build = build }

    @Step('message')
    void echo(StepCall call) { build.log.line(call.text('message')) }

    @Step('message')
    void error(StepCall call) { throw new AbortException(call.text('message')) }

    @Step('message')
    void unstable(StepCall call) {
        build.log.line("WARNING: ${call.text('message')}")
        build.worsen('UNSTABLE')
    }

    @Step('name')
    Object stage(StepCall call) { call.body(StepTable.BODY, call.text('name'), call.context) }

    @Step
    boolean isUnix(StepCall call) { true }

    @Step(['time', 'unit'])
    void sleep(StepCall call) { call.branch.pause(millis(call, 'SECONDS')) }

    @Step(['resource', 'encoding'])
    String libraryResource(StepCall call) { build.sources.resource(call.text('resource'), call.text('encoding')) }

    /** `PATH+X=dir` puts dir before PATH. */
    @Step('overrides')
    Object withEnv(StepCall call) {
        Map<String, String> seen = build.environment(call.context)
        Map<String, String> added = [:]
        (call.args.overrides as List<String>).each { String pair ->
            String key = pair.takeWhile { it != '=' }
            String value = pair.length() > key.length() ? pair.substring(key.length() + 1) : ''
            String name = key.takeWhile { it != '+' }
            String before = added[name] ?: seen[name]
            added[name] = name == key || !before ? value : "$value:$before".toString()
        }
        return call.body(call.context + [env: call.context.env + added])
    }

    @Step('count')
    Object retry(StepCall call) {
        for (int left = call.args.count as int; ; left--) {
            try {
                return call.body(call.context)
            } catch (FlowInterruptedException stopped) {
                throw stopped
            } catch (Exception failure) {
                if (left <= 1) {
                    throw failure
                }
                build.log.failure(failure)
                build.log.line('Retrying')
            }
        }
    }

    @Step(['time', 'unit', 'activity'])
    Object timeout(StepCall call) {
        long limit = millis(call, 'MINUTES')
        FlowInterruptedException cause = new FlowInterruptedException('Timeout has been exceeded')
        build.log.line("Timeout set to expire in ${limit / 1000} sec")
        TimerTask task = timer.runAfter(limit as int) {
            build.log.line('Cancelling nested steps due to timeout')
            call.branch.interrupt(cause)
        }
        try {
            return call.body(call.context)
        } finally {
            task.cancel()
            call.branch.forgive(cause)
        }
    }

    @Step(['message', 'buildResult', 'stageResult', 'catchInterruptions'])
    Object catchError(StepCall call) {
        try {
            return call.body(call.context)
        } catch (Exception failure) {
            if (failure instanceof FlowInterruptedException && call.args.catchInterruptions == false) {
                throw failure
            }
            build.log.failure(failure)
            build.worsen(call.text('buildResult') ?: 'FAILURE')
            return null
        }
    }

    /** One thread per branch; the first failure is the step's, the others are kept with it. */
    @Step('branches')
    Map<String, Object> parallel(StepCall call) {
        Map<String, Object> results = Collections.synchronizedMap([:])
        List<Throwable> failures = Collections.synchronizedList([])
        Map<String, Branch> branches = call.closures.collectEntries { name, id -> [(name): call.branch.child()] }
        List<Thread> threads = branches.collect { String name, Branch branch ->
            Thread.start {
                try {
                    results[name] = call.body(name, "Branch: $name", call.context + [branch: branch])
                } catch (Throwable failure) {
                    build.log.line("Failed in branch $name")
                    failures << failure
                    if (call.flag('failFast')) {
                        (branches - [(name): branch]).each { key, other ->
                            other.interrupt(new FlowInterruptedException("Failed in branch $name"))
                        }
                    }
                }
            }
        }
        threads*.join()
        branches.values().each { call.branch.remove(it) }
        if (failures) {
            failures.tail().each { failures[0].addSuppressed(it) }
            throw failures[0]
        }
        return branches.keySet().collectEntries { [(it): results[it]] }
    }

    private static long millis(StepCall call, String defaultUnit) {
        return TimeUnit.valueOf(call.text('unit') ?: defaultUnit).toMillis(call.args.time as long)
    }
}
