// Prints, as JSON, the pods of the clouds that Groovy files describe: what the pipeline runner makes without a cluster.
import groovy.json.JsonOutput
import org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate
import pipeline.AgentPod
import pipeline.Symbols

Map symbols = Symbols.TABLE.collectEntries { name, type -> [(name): { Map given = [:] -> Symbols.make(name, given) }] }
println JsonOutput.toJson(args.collect { String file ->
    KubernetesCloud cloud = new KubernetesCloud('kubernetes')
    Map words = symbols + [cloud: cloud, podTemplate: { new PodTemplate(it) }]
    new GroovyShell(new Binding(words)).evaluate(new File(file))
    cloud.templates.collectEntries {
        Map template = AgentPod.unwrap(it, cloud.templates, cloud.defaultsProviderTemplate)
        [(it.name): new AgentPod(cloud, template, "$it.name-x1y2z".toString()).manifest]
    }
})
