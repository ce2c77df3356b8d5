package pipeline

import hudson.AbortException
import io.fabric8.kubernetes.client.KubernetesClientException
import io.fabric8.kubernetes.client.dsl.ExecWatch
import java.util.concurrent.*
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/**
 * The sh step: a script file in the workspace's temporary folder, started through pod exec. As in Jenkins a shell in
 * the container (`shell:` of the container step) reads the variables, goes to the folder and starts
 * `sh -xe script.sh` under nohup; a cookie in the environment marks the processes to kill.
 */
class ShellSteps {
    private static final int SIGTERM = 143, SIGKILL = 137
    private final Build build = Build.current

    @Step(value = ['script', 'returnStdout', 'returnStatus', 'encoding', 'label'], needs = 'hudson.FilePath')
    Object sh(StepCall call) {
        if (call.flag('returnStdout') && call.flag('returnStatus')) {
            throw new IllegalArgumentException('you may not select both returnStdout and returnStatus')
        }
        ByteArrayOutputStream captured = new ByteArrayOutputStream()
        int code = execute(call, captured)
        if (code == SIGKILL) { checkAgent(call.context.agent) }
        if (call.flag('returnStatus')) { return code }
        if (code) { throw new AbortException("script returned exit code $code") }
        return call.flag('returnStdout') ? captured.toString(call.text('encoding') ?: 'UTF-8') : null
    }

    private int execute(StepCall call, OutputStream captured) {
        String cookie = "durable-${UUID.randomUUID().toString().take(8)}", control = "$call.context.folder@tmp/$cookie"
        FileSteps.write(call.context.agent, "$control/script.sh", call.text('script').getBytes('UTF-8'))
        OutputStream console = build.log.stream()
        OutputStream out = call.args.returnStdout ? captured : console
        ExecWatch process = start(call, commands(call, cookie, control), out, console)
        try {
            return Cluster.exitCode(process) { call.branch.check() }
        } catch (FlowInterruptedException cause) {
            throw interrupted(call, process, cookie, cause)
        } catch (IOException | KubernetesClientException lost) {
            checkAgent(call.context.agent)
            throw lost
        } finally {
            process.close()
            console.close()
        }
    }

    private ExecWatch start(StepCall call, String commands, OutputStream out, OutputStream err) {
        Agent agent = call.context.agent
        String container = call.context.container ?: AgentPod.AGENT
        if (!agent.has(container)) {
            throw new KubernetesClientException("container $container is not valid for pod $agent.name")
        }
        ExecWatch process = build.cluster.exec(agent, container, out, err, [call.context.shell ?: 'sh'])
        process.input.write(commands.getBytes('UTF-8'))
        process.input.flush()
        return process
    }

    private String commands(StepCall call, String cookie, String control) {
        Map<String, String> variables = build.exported(call.context).findAll { it.key ==~ /[a-zA-Z_][a-zA-Z0-9_]*/ }
        String folder = quoted(call.context.folder), script = quoted("$control/script.sh")
        String start = call.text('script').startsWith('#!') ? "chmod 755 $script; $script" : "sh -xe $script"
        String streams = call.args.returnStdout ? '' : '2>&1'
        return variables.collect { "export $it.key=${quoted(it.value)}\n" }.join() + "mkdir -p $folder; cd $folder\n" +
            "JENKINS_SERVER_COOKIE=$cookie nohup sh -c ${quoted(start)} </dev/null $streams\n" +
            "code=\$?; rm -rf ${quoted(control)} 2>/dev/null; exit \$code\n"
    }

    private static String quoted(String text) { "'${text.replace("'", "'\\''")}'" }

    /** Kills what the step started, then fails with the reason of the interruption, the exit code attached. */
    private Throwable interrupted(StepCall call, ExecWatch process, String cookie, FlowInterruptedException cause) {
        build.log.line('Sending interrupt signal to process')
        String marked = "grep -l JENKINS_SERVER_COOKIE=$cookie /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3"
        OutputStream ignored = new ByteArrayOutputStream()
        start(call, "kill \$($marked); exit 0\n", ignored, ignored).withCloseable { Cluster.exitCode(it) { } }
        int code = SIGTERM
        try {
            code = process.exitCode().get(20, TimeUnit.SECONDS)
        } catch (TimeoutException stubborn) {
            build.log.line('After 20s process did not stop')
        }
        build.log.line("script returned exit code $code")
        cause.addSuppressed(new AbortException("script returned exit code $code"))
        return cause
    }

    /** Was it the pod that ended? Its status follows within a moment. A controller then removes the agent. */
    private void checkAgent(Agent agent) {
        String failure = (1..10).findResult { Thread.sleep(200); agent.failure() }
        if (failure) {
            build.log.line("ERROR: $failure")
            throw new FlowInterruptedException("Agent $agent.name was deleted; cancelling node body", failure)
        }
    }
}
