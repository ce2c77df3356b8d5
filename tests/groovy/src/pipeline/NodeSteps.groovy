package pipeline

import hudson.model.labels.LabelAtom
import io.fabric8.kubernetes.client.KubernetesClientException
import org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate

/** Steps that choose where the steps inside them run: node, container, dir, podTemplate. */
class NodeSteps {
    private static final long NOTICE = 15_000
    private static final long AGAIN = 10_000
    private final Build build

    NodeSteps(Build build) { this.build = build }

    @Step('label')
    Object node(StepCall call) {
        Agent agent = allocate(call, call.text('label'))
        try {
            build.log.line("Running on $agent.name in $agent.workspace")
            return call.body(call.context + [agent: agent, container: null, shell: null, folder: agent.workspace])
        } finally {
            agent.terminate()
        }
    }

    /** Like the queue: an agent that does not come up is reported and replaced, until somebody gives up. */
    private Agent allocate(StepCall call, String label) {
        while (true) {
            List found = template(call, label)
            Agent agent = new Agent(build, build.cluster, found[0], found[1])
            try {
                agent.start(call.branch)
                return agent
            } catch (IOException | KubernetesClientException failure) {
                agent.terminate()
                build.log.line("ERROR: $failure.message")
                call.branch.pause(AGAIN)
            } catch (Throwable stopped) {
                agent.terminate()
                throw stopped
            }
        }
    }

    /** Cloud and template for a label, waiting until there is one. */
    private List template(StepCall call, String label) {
        long notice = System.currentTimeMillis() + NOTICE
        while (true) {
            List<KubernetesCloud> clouds = build.controller().clouds.toList()
            if (call.context.pods[label]) {
                return [clouds[0], call.context.pods[label]]
            }
            KubernetesCloud cloud = clouds.find { it.getTemplate(new LabelAtom(label)) }
            if (cloud) {
                return [cloud, cloud.getTemplate(new LabelAtom(label))]
            }
            if (notice && System.currentTimeMillis() > notice) {
                build.log.line("Still waiting to schedule task\nThere are no nodes with the label ‘${label}’")
                notice = 0
            }
            call.branch.pause(500)
        }
    }

    @Step(value = ['name', 'shell'], needs = 'hudson.model.Node')
    Object container(StepCall call) {
        return call.body(call.context + [container: call.text('name'), shell: call.text('shell')])
    }

    @Step(value = 'path', needs = 'hudson.FilePath')
    Object dir(StepCall call) {
        String folder = FileSteps.resolve(call.context, call.text('path'))
        build.log.line("Running in $folder")
        return call.body(call.context + [folder: folder])
    }

    /** A template for the body only; its label is POD_LABEL there. */
    @Step(['yaml', 'inheritFrom', 'cloud', 'label', 'name', 'namespace', 'serviceAccount', 'showRawYaml', 'slaveConnectTimeout'])
    Object podTemplate(StepCall call) {
        String base = "$build.options.job-$build.options.number-${Agent.suffix()}".toLowerCase().replaceAll('[^a-z0-9-]', '-')
        String label = call.text('label') ?: "${build.options.job}_$build.options.number-${base[-5..-1]}"
        PodTemplate template = new PodTemplate(base)
        template.name = call.text('name') ?: "$base-${Agent.suffix()}"
        template.label = label
        (call.args.keySet() - ['label', 'name', 'cloud']).each { template[it] = call.args[it] }
        Map<String, String> env = call.context.env + [POD_LABEL: label]
        return call.body(call.context + [pods: call.context.pods + [(label): template], env: env])
    }
}
